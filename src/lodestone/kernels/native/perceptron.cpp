// Perceptrons with one hidden layer and no biases on the CPU: y = W2 relu(W1 x) for many rows x, and what derives.
//
// With the hidden layer h = relu(W1 x) and its gates [h > 0], the gradient g of y gives
//     dW2 = sum g h^T,   d = [h > 0] (W2^T g),   dW1 = sum d x^T,   dx = W1^T d,
// and the gradient v of s = W1^T ([h > 0] w), w the only row of W2, gives
//     dw = sum [h > 0] (W1 v),   dW1 = sum ([h > 0] w) v^T.
// All of them are products of small matrices. Rows are taken in tiles whose hidden layer stays in the cache and is
// never stored: going back computes it again, which costs less than writing and reading it.
//
// Sums over rows are taken by tiles, tiles by chunks, and chunks in their order; the chunks depend on the number of
// rows alone, so results are equal to the bit for any number of threads.

#include <algorithm>
#include <vector>

#include "parallel.hpp"
#include "simd.hpp"

// The C interface. Arrays are contiguous and row-major.
struct Perceptron {
    int64_t rows, inputs, hidden, outputs, threads;
    const float *x, *first, *second;  // n i, h i, o h
};

namespace lodestone {
namespace {

constexpr int kRegisters = 12;      // vectors of a product that are summed at once, of sixteen that there are
constexpr int kTile = 96;           // rows whose hidden layer is held at once
constexpr int64_t kSmallest = 480;  // rows of a chunk at least
constexpr int64_t kChunks = 32;     // chunks at most

int64_t vectors_of(int64_t floats) { return (floats + kLanes - 1) / kLanes; }
int64_t padded(int64_t floats) { return vectors_of(floats) * kLanes; }

// Zeros that begin at a cache line.
class Floats {
  public:
    explicit Floats(int64_t count) : lines_(static_cast<size_t>((count + 15) / 16)) {}
    float* data() { return lines_.data()->values; }
    const float* data() const { return lines_.data()->values; }

  private:
    struct alignas(64) Line {
        float values[16] = {};
    };
    std::vector<Line> lines_;
};

// The left factor of a product: entry (row, term) is at[row * row_step + term * term_step].
struct Left {
    const float* at;
    int64_t row_step, term_step;
};

// The right factor: rows of whole vectors.
struct Right {
    const float* at;
    int64_t step;
};

template <int kRows, int kColumns, class Put>
inline void multiply_block(const Left& left, const Right& right, int64_t terms, int64_t row, int64_t column,
                           const Put& put) {
    Float sums[kRows][kColumns] = {};
    const float *a = left.at + row * left.row_step, *b = right.at + column * kLanes;
    for (int64_t term = 0; term < terms; ++term, a += left.term_step, b += right.step) {
        Float entries[kColumns];
        for (int c = 0; c < kColumns; ++c) entries[c] = load(b + c * kLanes);
        for (int r = 0; r < kRows; ++r)
            for (int c = 0; c < kColumns; ++c) sums[r][c] += a[r * left.row_step] * entries[c];
    }
    for (int r = 0; r < kRows; ++r)
        for (int c = 0; c < kColumns; ++c) put(row + r, (column + c) * kLanes, sums[r][c]);
}

template <int kRows, int kColumns, class Put>
inline void multiply_rest(const Left& left, const Right& right, int64_t rows, int64_t terms, int64_t row,
                          int64_t column, const Put& put) {
    if constexpr (kRows > 0) {
        if (rows - row == kRows)
            multiply_block<kRows, kColumns>(left, right, terms, row, column, put);
        else
            multiply_rest<kRows - 1, kColumns>(left, right, rows, terms, row, column, put);
    }
}

template <int kColumns, class Put>
inline void multiply_columns(const Left& left, const Right& right, int64_t rows, int64_t terms, int64_t column,
                             const Put& put) {
    constexpr int kRows = kRegisters / kColumns;
    int64_t row = 0;
    for (; row + kRows <= rows; row += kRows) multiply_block<kRows, kColumns>(left, right, terms, row, column, put);
    multiply_rest<kRows - 1, kColumns>(left, right, rows, terms, row, column, put);
}

// Gives every vector of the product of two matrices to put(row, first float, vector).
template <class Put>
inline void multiply(const Left& left, const Right& right, int64_t rows, int64_t vectors, int64_t terms,
                     const Put& put) {
    int64_t column = 0;
    for (; column + 2 <= vectors; column += 2) multiply_columns<2>(left, right, rows, terms, column, put);
    if (column < vectors) multiply_columns<1>(left, right, rows, terms, column, put);
}

// What becomes of a product.
struct Store {
    float* to;
    int64_t step;
    void operator()(int64_t row, int64_t at, Float sum) const { store(to + row * step + at, sum); }
};

struct Add {
    float* to;
    int64_t step;
    void operator()(int64_t row, int64_t at, Float sum) const {
        float* place = to + row * step + at;
        store(place, load(place) + sum);
    }
};

// A copy whose rows are whole vectors, with zeros behind.
Floats pack(const float* matrix, int64_t rows, int64_t columns) {
    const int64_t step = padded(columns);
    Floats packed(rows * step);
    for (int64_t row = 0; row < rows; ++row)
        std::copy(matrix + row * columns, matrix + (row + 1) * columns, packed.data() + row * step);
    return packed;
}

Floats pack_transposed(const float* matrix, int64_t rows, int64_t columns) {
    const int64_t step = padded(rows);
    Floats packed(columns * step);
    for (int64_t row = 0; row < rows; ++row)
        for (int64_t column = 0; column < columns; ++column)
            packed.data()[column * step + row] = matrix[row * columns + column];
    return packed;
}

struct Weights {
    Floats first, first_transposed, second, second_transposed;

    explicit Weights(const Perceptron& in)
        : first(pack(in.first, in.hidden, in.inputs)),
          first_transposed(pack_transposed(in.first, in.hidden, in.inputs)),
          second(pack(in.second, in.outputs, in.hidden)),
          second_transposed(pack_transposed(in.second, in.outputs, in.hidden)) {}
};

// Some rows of x and what becomes of them; every row is whole vectors.
class Tile {
  public:
    Tile(const Perceptron& in, const Weights& weights)
        : in_(in),
          weights_(weights),
          input_step_(padded(in.inputs)),
          hidden_step_(padded(in.hidden)),
          output_step_(padded(in.outputs)),
          inputs_(kTile * input_step_),
          hidden_(kTile * hidden_step_),
          back_(kTile * std::max(input_step_, output_step_)) {}

    // h = relu(W1 x)
    void enter(int64_t first, int64_t rows) {
        rows_ = rows;
        read(in_.x + first * in_.inputs);
        float* h = hidden_.data();
        multiply({x_, input_step_, 1}, right(weights_.first_transposed, hidden_step_), rows,
                 vectors_of(in_.hidden), in_.inputs, [=, step = hidden_step_](int64_t row, int64_t at, Float sum) {
                     store(h + row * step + at, maximum(Float{}, sum));  // in this order it keeps NaN
                 });
    }

    // y = W2 h
    void leave(float* y) {
        multiply(left(hidden_, hidden_step_), right(weights_.second_transposed, output_step_), rows_,
                 vectors_of(in_.outputs), in_.hidden, Store{place_for(y, in_.outputs), output_step_});
        write(y, in_.outputs);
    }

    // dW2 += g^T h
    void add_second(const float* g, float* sums) const {
        multiply({g, 1, in_.outputs}, right(hidden_, hidden_step_), in_.outputs, vectors_of(in_.hidden), rows_,
                 Add{sums, hidden_step_});
    }

    // d = [h > 0] (W2^T g), in the place of h
    void turn(const float* g) {
        float* h = hidden_.data();
        multiply({g, in_.outputs, 1}, right(weights_.second, hidden_step_), rows_, vectors_of(in_.hidden), in_.outputs,
                 [=, step = hidden_step_](int64_t row, int64_t at, Float sum) {
                     float* place = h + row * step + at;
                     store(place, keep(sum, load(place) > 0.0f));
                 });
    }

    // dW1 += d^T x
    void add_first(float* sums) const {
        multiply({hidden_.data(), 1, hidden_step_}, {x_, input_step_}, in_.hidden, vectors_of(in_.inputs),
                 rows_, Add{sums, input_step_});
    }

    // dx = W1^T d
    void descend(float* of_x) {
        multiply(left(hidden_, hidden_step_), right(weights_.first, input_step_), rows_, vectors_of(in_.inputs),
                 in_.hidden, Store{place_for(of_x, in_.inputs), input_step_});
        write(of_x, in_.inputs);
    }

    // Of the derivative s, with v in the place of x: dw += [h > 0] (W1 v), then h becomes [h > 0] w.
    void bend(const float* v, float* of_second) {
        read(v);
        float* h = hidden_.data();
        const float* w = weights_.second.data();
        multiply({x_, input_step_, 1}, right(weights_.first_transposed, hidden_step_), rows_,
                 vectors_of(in_.hidden), in_.inputs, [=, step = hidden_step_](int64_t row, int64_t at, Float sum) {
                     float* place = h + row * step + at;
                     const Int open = load(place) > 0.0f;
                     store(of_second + at, load(of_second + at) + keep(sum, open));
                     store(place, keep(load(w + at), open));
                 });
    }

  private:
    Left left(const Floats& matrix, int64_t step) const { return {matrix.data(), step, 1}; }
    Right right(const Floats& matrix, int64_t step) const { return {matrix.data(), step}; }

    // Rows that are whole vectors are read and written where they are.
    void read(const float* from) {
        x_ = in_.inputs == input_step_ ? from : inputs_.data();
        for (int64_t row = 0; row < rows_ && x_ != from; ++row)
            std::copy(from + row * in_.inputs, from + (row + 1) * in_.inputs, inputs_.data() + row * input_step_);
    }

    float* place_for(float* rows, int64_t columns) { return columns == padded(columns) ? rows : back_.data(); }

    void write(float* to, int64_t columns) const {
        const int64_t step = padded(columns);
        for (int64_t row = 0; row < rows_ && columns != step; ++row) {
            const float* from = back_.data() + row * step;
            std::copy(from, from + columns, to + row * columns);
        }
    }

    const Perceptron& in_;
    const Weights& weights_;
    int64_t input_step_, hidden_step_, output_step_, rows_ = 0;
    Floats inputs_, hidden_, back_;
    const float* x_ = nullptr;
};

// Chunks of rows; what is summed over rows has a place of its own in each.
class Chunks {
  public:
    explicit Chunks(int64_t rows) : rows_(rows) {
        const int64_t wanted = std::max(kSmallest, (rows + kChunks - 1) / kChunks);
        length_ = (wanted + kTile - 1) / kTile * kTile;
        count_ = (rows + length_ - 1) / length_;
    }

    int64_t count() const { return count_; }

    // Calls run(tile, first row) for the tiles of one chunk.
    template <class Run>
    void over_tiles(int64_t chunk, Tile& tile, const Run& run) const {
        const int64_t end = std::min(rows_, (chunk + 1) * length_);
        for (int64_t row = chunk * length_; row < end; row += kTile) {
            tile.enter(row, std::min<int64_t>(kTile, end - row));
            run(row);
        }
    }

  private:
    int64_t rows_, length_, count_;
};

// Adds what the chunks have summed, in their order.
void add_up(const std::vector<Floats>& chunks, int64_t rows, int64_t columns, float* out) {
    std::fill(out, out + rows * columns, 0.0f);
    for (const Floats& chunk : chunks)
        for (int64_t row = 0; row < rows; ++row) {
            const float* from = chunk.data() + row * padded(columns);
            for (int64_t column = 0; column < columns; ++column) out[row * columns + column] += from[column];
        }
}

// Calls run(tile, chunk) for every chunk.
template <class Run>
int over_chunks(const Perceptron& in, const Chunks& chunks, const Run& run) {
    const Weights weights(in);
    return run_parallel(in.threads, chunks.count(), [&](int, int64_t chunk) {
        Tile tile(in, weights);
        run(tile, chunk);
    });
}

// The same where sums of the shapes of W1 and W2 are taken; either may be null.
template <class Run>
int sum_over_chunks(const Perceptron& in, float* of_first, float* of_second, const Run& run) {
    const Chunks chunks(in.rows);
    std::vector<Floats> firsts, seconds;
    for (int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
        firsts.emplace_back(of_first ? in.hidden * padded(in.inputs) : 0);
        seconds.emplace_back(of_second ? in.outputs * padded(in.hidden) : 0);
    }
    const int status = over_chunks(in, chunks, [&](Tile& tile, int64_t chunk) {
        chunks.over_tiles(chunk, tile,
                          [&](int64_t row) { run(tile, row, firsts[chunk].data(), seconds[chunk].data()); });
    });
    if (of_first) add_up(firsts, in.hidden, in.inputs, of_first);
    if (of_second) add_up(seconds, in.outputs, in.hidden, of_second);
    return status;
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_perceptron_version() { return 1; }

// y is n o.
LODESTONE_API int lodestone_perceptron_forward(const Perceptron* in, float* y) {
    using namespace lodestone;
    return guarded([&] {
        const Chunks chunks(in->rows);
        return over_chunks(*in, chunks, [&](Tile& tile, int64_t chunk) {
            chunks.over_tiles(chunk, tile, [&](int64_t row) { tile.leave(y + row * in->outputs); });
        });
    });
}

// g is n o; gradients are like x, W1 and W2, and each may be null.
LODESTONE_API int lodestone_perceptron_backward(const Perceptron* in, const float* g, float* of_x, float* of_first,
                                                float* of_second) {
    using namespace lodestone;
    return guarded([&] {
        return sum_over_chunks(*in, of_first, of_second, [&](Tile& tile, int64_t row, float* first, float* second) {
            const float* from = g + row * in->outputs;
            if (of_second) tile.add_second(from, second);
            if (!of_first && !of_x) return;
            tile.turn(from);
            if (of_first) tile.add_first(first);
            if (of_x) tile.descend(of_x + row * in->inputs);
        });
    });
}

// Of a perceptron with one output: v is the gradient of dy / dx, n i.
LODESTONE_API int lodestone_perceptron_bend(const Perceptron* in, const float* v, float* of_first, float* of_second) {
    using namespace lodestone;
    return guarded([&] {
        return sum_over_chunks(*in, of_first, of_second, [&](Tile& tile, int64_t row, float* first, float* second) {
            tile.bend(v + row * in->inputs, second);
            tile.add_first(first);
        });
    });
}
