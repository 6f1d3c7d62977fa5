// Multiresolution hash encoding on the CPU: values, and derivatives with respect to table and positions.
//
// Method: Mueller et al. 2022 (arXiv 2201.05989). Within a cell of level l the features are trilinear in the fractions
// f of the position, so all that is ever needed follows from the eight corners:
//     gather    sum_c w_c(f) table[c], or its derivative along a direction;
//     scatter   the transpose of either with respect to the table;
//     pull      the transpose of either with respect to the position.
// The corners of one cell are held as four vectors of two entries, y = 0 and y = 1, so that interpolation along x and z
// is done for both at once and along y last.
//
// Work is shared by blocks of points, in scatter by groups of levels: no two tasks write to one place and the order of
// every sum is fixed, so results are equal to the bit for any number of threads.

#include <algorithm>

#include "parallel.hpp"
#include "simd.hpp"

// The C interface. Arrays are contiguous and row-major. A level whose entries hold all (resolution + 1)^3 vertices is
// indexed densely, any other by a hash; its number of entries is then a power of two.
struct HashEncoding {
    int64_t points, levels, active, threads;
    const int64_t *resolutions, *offsets;  // l, l + 1
    const float *positions, *table;        // n 3, entries 2
};

namespace lodestone {
namespace {

typedef uint32_t UInt __attribute__((vector_size(4 * kLanes)));
typedef double Double2 __attribute__((vector_size(16)));

constexpr int kBlock = 256;  // points whose coordinates are held at once
constexpr uint32_t kPrimeY = 2654435761u, kPrimeZ = 805459861u;

int64_t blocks_of(const HashEncoding& encoding) { return (encoding.points + kBlock - 1) / kBlock; }

struct Level {
    float resolution;
    int32_t last;  // the last cell along a side
    uint32_t side, mask;
    bool dense;
    int64_t offset, size;
};

Level level_of(const HashEncoding& encoding, int64_t index) {
    const int64_t resolution = encoding.resolutions[index], offset = encoding.offsets[index];
    const int64_t size = encoding.offsets[index + 1] - offset, side = resolution + 1;
    const bool dense = side * side * side <= size;
    return {static_cast<float>(resolution), static_cast<int32_t>(resolution - 1), static_cast<uint32_t>(side),
            static_cast<uint32_t>(size - 1), dense, offset, size};
}

// Coordinates of a block of points in [0, 1], one array for each axis; slope is 0 where a coordinate was outside.
struct Block {
    int64_t first;
    int count;
    alignas(64) float at[3][kBlock], slope[3][kBlock];

    Block(const HashEncoding& encoding, int64_t index) : first(index * kBlock) {
        count = static_cast<int>(std::min<int64_t>(kBlock, encoding.points - first));
        for (int point = 0; point < kBlock; ++point)
            for (int axis = 0; axis < 3; ++axis) {
                const float x = point < count ? encoding.positions[3 * (first + point) + axis] : 0.0f;
                const bool inside = x >= 0.0f && x <= 1.0f;
                at[axis][point] = inside ? x : (x > 1.0f ? 1.0f : 0.0f);
                slope[axis][point] = inside ? 1.0f : 0.0f;
            }
    }
};

// The corners of kLanes cells, c = 4 z + 2 x + y, and where the points lie in them.
struct Corners {
    uint32_t index[8][kLanes];
    float fraction[3][kLanes];
};

inline UInt min_cell(Float scaled, int32_t last, Float& fraction) {
    const Int cell = __builtin_convertvector(scaled, Int);
    const Int limit = Int{} + last;
    const Int kept = cell > limit ? limit : cell;
    fraction = scaled - __builtin_convertvector(kept, Float);
    return (UInt)kept;
}

inline void find_corners(const Level& level, const Block& block, int point, Corners& corners) {
    UInt cell[3];
    for (int axis = 0; axis < 3; ++axis) {
        Float fraction;
        cell[axis] = min_cell(load(block.at[axis] + point) * level.resolution, level.last, fraction);
        store(corners.fraction[axis], fraction);
    }
    for (uint32_t corner = 0; corner < 8; ++corner) {
        const UInt x = cell[0] + ((corner >> 1) & 1u), y = cell[1] + (corner & 1u), z = cell[2] + (corner >> 2);
        const UInt index = level.dense ? x + level.side * (y + level.side * z)
                                       : ((x ^ (y * kPrimeY) ^ (z * kPrimeZ)) & level.mask);
        std::memcpy(corners.index[corner], &index, sizeof index);
    }
}

inline Float4 two_entries(const float* a, const float* b) {
    double low, high;
    std::memcpy(&low, a, sizeof low);
    std::memcpy(&high, b, sizeof high);
    return (Float4)(Double2){low, high};
}

inline Float4 upper(Float4 value) { return LODESTONE_SHUFFLE4(value, value, 2, 3, 2, 3); }

// The trilinear function of one cell; features lie in the first two lanes of what the members return.
struct Trilinear {
    Float4 x0, x1, slope_x0, slope_x1;  // at z = 0 and z = 1: interpolated along x, and differenced
    float fy, fz;

    Trilinear(const float* table, const Corners& corners, int lane) {
        const auto entry = [&](int c) { return table + 2 * static_cast<size_t>(corners.index[c][lane]); };
        const Float4 a = two_entries(entry(0), entry(1)), b = two_entries(entry(2), entry(3));
        const Float4 c = two_entries(entry(4), entry(5)), d = two_entries(entry(6), entry(7));
        const float fx = corners.fraction[0][lane];
        fy = corners.fraction[1][lane], fz = corners.fraction[2][lane];
        slope_x0 = b - a, slope_x1 = d - c;
        x0 = a + fx * slope_x0, x1 = c + fx * slope_x1;
    }

    Float4 along_y(Float4 both) const { return both + fy * (upper(both) - both); }
    Float4 value() const { return along_y(x0 + fz * (x1 - x0)); }
    Float4 dx() const { return along_y(slope_x0 + fz * (slope_x1 - slope_x0)); }
    Float4 dy() const {
        const Float4 both = x0 + fz * (x1 - x0);
        return upper(both) - both;
    }
    Float4 dz() const { return along_y(x1 - x0); }
    Float4 dxdy() const {
        const Float4 both = slope_x0 + fz * (slope_x1 - slope_x0);
        return upper(both) - both;
    }
    Float4 dxdz() const { return along_y(slope_x1 - slope_x0); }
    Float4 dydz() const { return upper(x1 - x0) - (x1 - x0); }
};

// A direction in units of cells, 0 along axes on which the point was clamped.
struct Direction {
    float x, y, z;

    Direction(const float* directions, const Level& level, const Block& block, int point) {
        const float* v = directions + 3 * (block.first + point);
        x = v[0] * level.resolution * block.slope[0][point];
        y = v[1] * level.resolution * block.slope[1][point];
        z = v[2] * level.resolution * block.slope[2][point];
    }
};

void gather_block(const HashEncoding& encoding, const float* directions, int64_t index, float* out) {
    const Block block(encoding, index);
    Corners corners;
    for (int64_t l = 0; l < encoding.active; ++l) {
        const Level level = level_of(encoding, l);
        const float* table = encoding.table + 2 * level.offset;
        for (int point = 0; point < block.count; point += kLanes) {
            find_corners(level, block, point, corners);
            const int lanes = std::min(kLanes, block.count - point);
            float* to = out + 2 * ((block.first + point) * encoding.levels + l);
            for (int lane = 0; lane < lanes; ++lane, to += 2 * encoding.levels) {
                const Trilinear cell(table, corners, lane);
                Float4 result;
                if (directions) {
                    const Direction v(directions, level, block, point + lane);
                    result = v.x * cell.dx() + v.y * cell.dy() + v.z * cell.dz();
                } else {
                    result = cell.value();
                }
                std::memcpy(to, &result, 2 * sizeof(float));
            }
        }
    }
    for (int point = 0; point < block.count && encoding.active < encoding.levels; ++point) {
        float* row = out + 2 * (block.first + point) * encoding.levels;
        std::fill(row + 2 * encoding.active, row + 2 * encoding.levels, 0.0f);
    }
}

inline void add_two(float* to, Float4 value) {
    double two;
    std::memcpy(&two, to, sizeof two);
    const Float4 sum = (Float4)(Double2){two, 0.0} + value;
    std::memcpy(to, &sum, sizeof two);
}

// Adds what one point gives to its corners: the cotangent times the weights, or their derivatives along a direction.
inline void add_to_corners(const float* cotangent, const Corners& corners, int lane, const Direction* v, float* table) {
    const float fx = corners.fraction[0][lane], fy = corners.fraction[1][lane], fz = corners.fraction[2][lane];
    const float wx[2] = {1.0f - fx, fx}, wz[2] = {1.0f - fz, fz};
    const Float4 g = two_entries(cotangent, cotangent), wy = {1.0f - fy, 1.0f - fy, fy, fy};
    const Float4 straight = g * wy;
    for (int column = 0; column < 4; ++column) {  // two corners each, y = 0 and y = 1
        const int x = column & 1, z = column >> 1;
        Float4 part = wx[x] * wz[z] * straight;
        if (v) {
            const float across = (x ? v->x : -v->x) * wz[z] + (z ? v->z : -v->z) * wx[x];
            part = across * straight + wx[x] * wz[z] * (g * (Float4){-v->y, -v->y, v->y, v->y});
        }
        add_two(table + 2 * static_cast<size_t>(corners.index[2 * column][lane]), part);
        add_two(table + 2 * static_cast<size_t>(corners.index[2 * column + 1][lane]), upper(part));
    }
}

// Every step-th level from `first` on. A row of the cotangent holds all levels: reading every row again for each level
// would cost as much as the sums.
void scatter_levels(const HashEncoding& encoding, const float* directions, const float* cotangent, int64_t first,
                    int64_t step, float* gradient) {
    for (int64_t l = first; l < encoding.levels; l += step)
        std::fill(gradient + 2 * encoding.offsets[l], gradient + 2 * encoding.offsets[l + 1], 0.0f);
    Corners corners;
    for (int64_t index = 0; index < blocks_of(encoding); ++index) {
        const Block block(encoding, index);
        for (int64_t l = first; l < encoding.active; l += step) {
            const Level level = level_of(encoding, l);
            float* table = gradient + 2 * level.offset;
            for (int point = 0; point < block.count; point += kLanes) {
                find_corners(level, block, point, corners);
                const int lanes = std::min(kLanes, block.count - point);
                const float* from = cotangent + 2 * ((block.first + point) * encoding.levels + l);
                for (int lane = 0; lane < lanes; ++lane, from += 2 * encoding.levels) {
                    if (directions) {
                        const Direction v(directions, level, block, point + lane);
                        add_to_corners(from, corners, lane, &v, table);
                    } else {
                        add_to_corners(from, corners, lane, nullptr, table);
                    }
                }
            }
        }
    }
}

inline float dot2(Float4 value, const float* with) { return value[0] * with[0] + value[1] * with[1]; }

void pull_block(const HashEncoding& encoding, const float* directions, const float* cotangent, int64_t index,
                float* gradient) {
    const Block block(encoding, index);
    Corners corners;
    float* out = gradient + 3 * block.first;
    std::fill(out, out + 3 * block.count, 0.0f);
    for (int64_t l = 0; l < encoding.active; ++l) {
        const Level level = level_of(encoding, l);
        const float* table = encoding.table + 2 * level.offset;
        for (int point = 0; point < block.count; point += kLanes) {
            find_corners(level, block, point, corners);
            const int lanes = std::min(kLanes, block.count - point);
            for (int lane = 0; lane < lanes; ++lane) {
                const float* g = cotangent + 2 * ((block.first + point + lane) * encoding.levels + l);
                const Trilinear cell(table, corners, lane);
                float x, y, z;
                if (directions) {
                    const Direction v(directions, level, block, point + lane);
                    const float xy = dot2(cell.dxdy(), g), xz = dot2(cell.dxdz(), g), yz = dot2(cell.dydz(), g);
                    x = v.y * xy + v.z * xz, y = v.x * xy + v.z * yz, z = v.x * xz + v.y * yz;
                } else {
                    x = dot2(cell.dx(), g), y = dot2(cell.dy(), g), z = dot2(cell.dz(), g);
                }
                float* to = out + 3 * (point + lane);
                to[0] += level.resolution * x, to[1] += level.resolution * y, to[2] += level.resolution * z;
            }
        }
    }
    for (int point = 0; point < block.count; ++point)
        for (int axis = 0; axis < 3; ++axis) out[3 * point + axis] *= block.slope[axis][point];
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_hash_encoding_version() { return 1; }

// Directions (n 3) may be null; out is n 2l.
LODESTONE_API int lodestone_hash_encoding_gather(const HashEncoding* encoding, const float* directions, float* out) {
    using namespace lodestone;
    return run_parallel(encoding->threads, blocks_of(*encoding),
                        [&](int, int64_t block) { gather_block(*encoding, directions, block, out); });
}

// The cotangent is n 2l, the gradient as the table. Each thread finds about two tasks, of coarse and of fine levels.
LODESTONE_API int lodestone_hash_encoding_scatter(const HashEncoding* encoding, const float* directions,
                                                  const float* cotangent, float* gradient) {
    using namespace lodestone;
    const int64_t tasks = std::max<int64_t>(1, std::min(encoding->levels, 2 * encoding->threads));
    return run_parallel(encoding->threads, tasks, [&](int, int64_t task) {
        scatter_levels(*encoding, directions, cotangent, task, tasks, gradient);
    });
}

// The gradient is n 3.
LODESTONE_API int lodestone_hash_encoding_pull(const HashEncoding* encoding, const float* directions,
                                               const float* cotangent, float* gradient) {
    using namespace lodestone;
    return run_parallel(encoding->threads, blocks_of(*encoding),
                        [&](int, int64_t block) { pull_block(*encoding, directions, cotangent, block, gradient); });
}
