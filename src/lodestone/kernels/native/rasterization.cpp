// Triangles on the CPU: which one each pixel sees, interpolation over it, edge antialiasing, and the gradient of each.
//
// Positions are homogeneous, (x, y, z, w). Pixel (row r, column c) looks along p = (2 (c + 1/2) / W - 1,
// 2 (r + 1/2) / H - 1, 1), and with the corners v_i = (x_i, y_i, w_i) of a triangle
//     e_0 = det(v_1, v_2, p),  e_1 = det(v_2, v_0, p),  e_2 = det(v_0, v_1, p),  D = det(v_0, v_1, v_2),
// p = sum_i (e_i / D) v_i. The pixel sees the triangle's plane inside the triangle and in front of the camera if and
// only if no e_i / D is negative (Olano and Greer 1997): nothing is clipped, corners behind the camera do no harm. The
// barycentrics e_i / sum_j e_j are perspective correct, and z / w = sum_i (e_i / D) z_i is linear on the screen.
//
// Products of two floats are exact in double, so a shared edge gives both of its triangles the same numbers with
// opposite signs. A centre on the edge goes to the triangle that lies to its right, or below: no holes, nothing twice.
//
// Antialiasing: a silhouette edge that crosses the segment between the centres of two neighbouring pixels at distance d
// from the inner one changes a pixel by weight (d - 1/2) (inner - outer): the outer one if d > 1/2, otherwise the inner
// one. The sum over a row is then the exact length of what is covered. See rasterization_reference.py.
//
// Sums over pixels belong to one task for each view, so results are equal to the bit for any number of threads.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "parallel.hpp"

// The C interface. Arrays are contiguous and row-major.
struct Surface {
    int64_t views, vertices, faces, height, width, threads;
    const float* positions;  // v n 4
    const int64_t* corners;  // f 3
};

struct Pixels {
    int64_t* triangle;    // v h w, -1 where there is none
    float* barycentrics;  // v h w 3
    float* depth;         // v h w
};

struct Attributes {
    int64_t channels, shared;  // shared: one set for all views
    const float* values;       // v n c, or n c
};

struct Edges {
    int64_t count;
    const int64_t *ends, *of_face;  // e 2 with the smaller number first, f 3: edge i is opposite corner i
};

namespace lodestone {
namespace {

constexpr int64_t kChunk = 1024;  // triangles that are set up together
constexpr int64_t kBand = 16;     // rows of pixels in a task

struct Vector {
    double x, y, w;
};

Vector cross(const Vector& a, const Vector& b) {
    return {a.y * b.w - a.w * b.y, a.w * b.x - a.x * b.w, a.x * b.y - a.y * b.x};
}

const float* corner(const Surface& surface, int64_t view, int64_t face, int i) {
    return surface.positions + 4 * (view * surface.vertices + surface.corners[3 * face + i]);
}

// ------------------------------------------------------------------------------------------------------- visibility

// A triangle that may cover a pixel centre. Its functions are a x + b y + c of the whole numbers x = 2 column + 1 - W
// and y = 2 row + 1 - H.
struct Candidate {
    double edge[3][3], depth[3];
    int64_t face;
    int32_t left, right;
    bool takes_border[3];
};

struct Rows {
    int32_t first, last;
};

struct Chunk {
    std::vector<Candidate> candidates;
    std::vector<Rows> rows;
};

// Whole numbers whose centres lie between two places, one more on either side for rounding, within 0 .. size - 1.
Rows between(double low, double high, int64_t size) {
    const double last = static_cast<double>(size - 1);
    return {static_cast<int32_t>(std::ceil(std::clamp(low - 0.5 - 1e-6, 0.0, last + 1.0))),
            static_cast<int32_t>(std::floor(std::clamp(high - 0.5 + 1e-6, -1.0, last)))};
}

bool bounds(const Surface& surface, const Vector (&v)[3], Rows& rows, Rows& columns) {
    rows = {0, static_cast<int32_t>(surface.height - 1)}, columns = {0, static_cast<int32_t>(surface.width - 1)};
    const int behind = (v[0].w <= 0) + (v[1].w <= 0) + (v[2].w <= 0);
    if (behind == 3) return false;
    if (behind) return true;  // it may reach any pixel
    double x[3], y[3];
    for (int i = 0; i < 3; ++i) {
        x[i] = 0.5 * static_cast<double>(surface.width) * (v[i].x / v[i].w + 1.0);
        y[i] = 0.5 * static_cast<double>(surface.height) * (v[i].y / v[i].w + 1.0);
    }
    columns = between(std::min({x[0], x[1], x[2]}), std::max({x[0], x[1], x[2]}), surface.width);
    rows = between(std::min({y[0], y[1], y[2]}), std::max({y[0], y[1], y[2]}), surface.height);
    return rows.first <= rows.last && columns.first <= columns.last;
}

void add_candidate(const Surface& surface, int64_t view, int64_t face, Chunk& chunk) {
    Vector v[3];
    double z[3];
    for (int i = 0; i < 3; ++i) {
        const float* p = corner(surface, view, face, i);
        if (!std::isfinite(p[0] + p[1] + p[2] + p[3])) return;
        v[i] = {p[0], p[1], p[3]}, z[i] = p[2];
    }
    Rows rows, columns;
    if (!bounds(surface, v, rows, columns)) return;
    Vector e[3] = {cross(v[1], v[2]), cross(v[2], v[0]), cross(v[0], v[1])};
    const double determinant = e[0].x * v[0].x + e[0].y * v[0].y + e[0].w * v[0].w;
    if (!(determinant > 0 || determinant < 0)) return;
    const double height = static_cast<double>(surface.height), width = static_cast<double>(surface.width);
    const double sign = determinant > 0 ? 1.0 : -1.0, scale = 1.0 / (std::abs(determinant) * width * height);
    Candidate c{};
    for (int i = 0; i < 3; ++i) {
        const double function[3] = {sign * e[i].x * height, sign * e[i].y * width, sign * e[i].w * (width * height)};
        for (int j = 0; j < 3; ++j) c.edge[i][j] = function[j], c.depth[j] += scale * z[i] * function[j];
        c.takes_border[i] = function[0] > 0 || (function[0] == 0 && function[1] > 0);
    }
    c.face = face, c.left = columns.first, c.right = columns.last;
    chunk.candidates.push_back(c);
    chunk.rows.push_back(rows);
}

bool inside(const Candidate& c, const double (&row)[3], double x) {
    for (int i = 0; i < 3; ++i) {
        const double e = c.edge[i][0] * x + row[i];
        if (e < 0 || (e == 0 && !c.takes_border[i])) return false;
    }
    return true;
}

void draw_row(const Surface& surface, const Candidate& c, int64_t row, double* depth, int64_t* triangle) {
    const double y = static_cast<double>(2 * row + 1 - surface.height);
    double start[3];
    for (int i = 0; i < 3; ++i) start[i] = c.edge[i][1] * y + c.edge[i][2];
    const double depth_start = c.depth[1] * y + c.depth[2];
    for (int64_t column = c.left; column <= c.right; ++column) {
        const double x = static_cast<double>(2 * column + 1 - surface.width);
        if (!inside(c, start, x)) continue;
        const double z = c.depth[0] * x + depth_start;
        if (z < -1.0 || z > 1.0 || !(z < depth[column])) continue;
        depth[column] = z;
        triangle[column] = c.face;
    }
}

// The corners relative to the direction of a pixel: e_i without cancellation.
struct Relative {
    double x[3], y[3], e[3], sum;
};

Relative relative(const Surface& surface, int64_t view, int64_t face, double px, double py) {
    Relative r;
    for (int i = 0; i < 3; ++i) {
        const float* p = corner(surface, view, face, i);
        r.x[i] = p[0] - p[3] * px, r.y[i] = p[1] - p[3] * py;
    }
    for (int i = 0; i < 3; ++i) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        r.e[i] = r.x[j] * r.y[k] - r.y[j] * r.x[k];
    }
    r.sum = r.e[0] + r.e[1] + r.e[2];
    return r;
}

double direction(int64_t index, int64_t size) {
    return static_cast<double>(2 * index + 1 - size) / static_cast<double>(size);
}

void write_row(const Surface& surface, int64_t view, int64_t row, const double* depth, const int64_t* triangle,
               const Pixels& out) {
    const int64_t first = (view * surface.height + row) * surface.width;
    for (int64_t column = 0; column < surface.width; ++column) {
        float* barycentrics = out.barycentrics + 3 * (first + column);
        std::fill(barycentrics, barycentrics + 3, 0.0f);
        out.triangle[first + column] = triangle[column];
        out.depth[first + column] = triangle[column] < 0 ? 1.0f : static_cast<float>(depth[column]);
        if (triangle[column] < 0) continue;
        const Relative r = relative(surface, view, triangle[column], direction(column, surface.width),
                                    direction(row, surface.height));
        for (int i = 0; i < 3; ++i) barycentrics[i] = static_cast<float>(r.e[i] / r.sum);
    }
}

void draw_band(const Surface& surface, int64_t view, int64_t first, const Chunk* chunks, int64_t count,
               const Pixels& out) {
    const int64_t rows = std::min(kBand, surface.height - first), width = surface.width;
    std::vector<double> depth(rows * width, std::numeric_limits<double>::infinity());
    std::vector<int64_t> triangle(rows * width, -1);
    for (const Chunk* chunk = chunks; chunk < chunks + count; ++chunk)
        for (size_t i = 0; i < chunk->rows.size(); ++i) {
            const int64_t top = std::max<int64_t>(chunk->rows[i].first, first);
            const int64_t bottom = std::min<int64_t>(chunk->rows[i].last, first + rows - 1);
            for (int64_t row = top; row <= bottom; ++row) {
                const int64_t start = (row - first) * width;
                draw_row(surface, chunk->candidates[i], row, depth.data() + start, triangle.data() + start);
            }
        }
    for (int64_t row = 0; row < rows; ++row)
        write_row(surface, view, first + row, depth.data() + row * width, triangle.data() + row * width, out);
}

int draw(const Surface& surface, const Pixels& out) {
    const int64_t per_view = (surface.faces + kChunk - 1) / kChunk, bands = (surface.height + kBand - 1) / kBand;
    std::vector<Chunk> chunks(surface.views * per_view);
    const int status = run_parallel(surface.threads, surface.views * per_view, [&](int, int64_t task) {
        const int64_t view = task / per_view, first = task % per_view * kChunk;
        for (int64_t face = first; face < std::min(surface.faces, first + kChunk); ++face)
            add_candidate(surface, view, face, chunks[task]);
    });
    if (status != kDone) return status;
    return run_parallel(surface.threads, surface.views * bands, [&](int, int64_t task) {
        const int64_t view = task / bands;
        draw_band(surface, view, task % bands * kBand, chunks.data() + view * per_view, per_view, out);
    });
}

// With b_i = e_i / s and the derivatives g_i by them, dL/de_i = (g_i - sum_j g_j b_j) / s.
void differentiate_barycentrics(const Surface& surface, int64_t view, int64_t face, double px, double py,
                                const float* g, float* gradient) {
    const Relative r = relative(surface, view, face, px, py);
    const double mean = (g[0] * r.e[0] + g[1] * r.e[1] + g[2] * r.e[2]) / r.sum;
    for (int i = 0; i < 3; ++i) {
        const int j = (i + 1) % 3, k = (i + 2) % 3;
        const double of_j = (g[j] - mean) / r.sum, of_k = (g[k] - mean) / r.sum;
        const double x = of_k * r.y[j] - of_j * r.y[k], y = of_j * r.x[k] - of_k * r.x[j];
        float* to = gradient + 4 * surface.corners[3 * face + i];
        to[0] += static_cast<float>(x), to[1] += static_cast<float>(y), to[3] -= static_cast<float>(px * x + py * y);
    }
}

// Calls visit(pixel, face, px, py) for every pixel of some rows that sees a triangle; pixel counts those of all views.
template <class Visit>
void for_each_seen(const Surface& surface, const int64_t* triangle, int64_t view, int64_t first, int64_t last,
                   Visit&& visit) {
    for (int64_t row = first; row < last; ++row)
        for (int64_t column = 0; column < surface.width; ++column) {
            const int64_t pixel = (view * surface.height + row) * surface.width + column;
            if (triangle[pixel] >= 0)
                visit(pixel, triangle[pixel], direction(column, surface.width), direction(row, surface.height));
        }
}

// ---------------------------------------------------------------------------------------------------- interpolation

const float* attributes_of(const Surface& surface, const Attributes& in, int64_t view) {
    return in.values + (in.shared ? 0 : view * surface.vertices * in.channels);
}

void interpolate_band(const Surface& surface, const Attributes& in, const Pixels& pixels, int64_t view, int64_t first,
                      float* out) {
    const int64_t last = std::min(surface.height, first + kBand), channels = in.channels;
    const int64_t start = (view * surface.height + first) * surface.width;
    std::fill(out + start * channels, out + (start + (last - first) * surface.width) * channels, 0.0f);
    const float* values = attributes_of(surface, in, view);
    for_each_seen(surface, pixels.triangle, view, first, last, [&](int64_t pixel, int64_t face, double, double) {
        float* to = out + pixel * channels;
        for (int i = 0; i < 3; ++i) {
            const float weight = pixels.barycentrics[3 * pixel + i];
            const float* from = values + surface.corners[3 * face + i] * channels;
            for (int64_t c = 0; c < channels; ++c) to[c] += weight * from[c];
        }
    });
}

void differentiate_interpolation(const Surface& surface, const Attributes& in, const Pixels& pixels,
                                 const float* gradient, int64_t view, float* of_values, float* of_barycentrics) {
    const int64_t channels = in.channels, count = surface.height * surface.width;
    const float* values = attributes_of(surface, in, view);
    if (of_values) {
        of_values += view * surface.vertices * channels;
        std::fill(of_values, of_values + surface.vertices * channels, 0.0f);
    }
    if (of_barycentrics) std::fill_n(of_barycentrics + 3 * view * count, 3 * count, 0.0f);
    for_each_seen(surface, pixels.triangle, view, 0, surface.height, [&](int64_t pixel, int64_t face, double, double) {
        const float* g = gradient + pixel * channels;
        for (int i = 0; i < 3; ++i) {
            const int64_t place = surface.corners[3 * face + i] * channels;
            const float weight = pixels.barycentrics[3 * pixel + i];
            float sum = 0.0f;
            for (int64_t c = 0; c < channels; ++c) sum += g[c] * values[place + c];
            if (of_barycentrics) of_barycentrics[3 * pixel + i] = sum;
            for (int64_t c = 0; of_values && c < channels; ++c) of_values[place + c] += weight * g[c];
        }
    });
}

// ----------------------------------------------------------------------------------------------------- antialiasing

// A silhouette edge between two neighbouring pixels.
struct Crossing {
    int64_t inner, outer;  // pixels of the view
    int64_t edge;
    double distance, weight;    // of the crossing from the inner centre; of this direction for this edge
    double along, slope, sign;  // part of the edge behind the crossing; d across / d along it; d distance / d across
    bool horizontal;            // pixels lie in a row
};

struct Point {
    double x, y, z;  // in pixels; z / w
    bool visible;
};

Point on_screen(const Surface& surface, int64_t view, int64_t vertex) {
    const float* p = surface.positions + 4 * (view * surface.vertices + vertex);
    if (!(p[3] > 0) || !std::isfinite(p[0] + p[1] + p[2] + p[3])) return {0, 0, 0, false};
    const double w = p[3];
    return {0.5 * static_cast<double>(surface.width) * (p[0] / w + 1.0),
            0.5 * static_cast<double>(surface.height) * (p[1] / w + 1.0), p[2] / w, true};
}

// On which sides of each edge, seen from its first to its second end, there are triangles: bits 1 and 2.
std::vector<uint8_t> sides_of_edges(const Surface& surface, const Edges& edges, const std::vector<Point>& points) {
    std::vector<uint8_t> sides(edges.count, 0);
    for (int64_t face = 0; face < surface.faces; ++face) {
        const int64_t* corners = surface.corners + 3 * face;
        const Point &a = points[corners[0]], &b = points[corners[1]], &c = points[corners[2]];
        // Compared, not subtracted: a fused subtraction would give triangles without area a sign.
        const double one = (b.x - a.x) * (c.y - a.y), other = (b.y - a.y) * (c.x - a.x);
        for (int i = 0; i < 3; ++i) {
            uint8_t& side = sides[edges.of_face[3 * face + i]];
            const bool forward = corners[(i + 1) % 3] < corners[(i + 2) % 3];
            if (!a.visible || !b.visible || !c.visible) side = 3;
            else if (one != other) side |= (one > other) == forward ? 1 : 2;
        }
    }
    return sides;
}

// The crossings of one view: of all silhouettes between two pixels the one farthest from the inner pixel.
class Silhouettes {
  public:
    Silhouettes(const Surface& surface, const Edges& edges, const Pixels& pixels, int64_t view)
        : surface_(surface), count_(surface.height * surface.width), points_(surface.vertices) {
        triangle_ = pixels.triangle + view * count_, depth_ = pixels.depth + view * count_;
        for (int64_t vertex = 0; vertex < surface.vertices; ++vertex)
            points_[vertex] = on_screen(surface, view, vertex);
        const std::vector<uint8_t> sides = sides_of_edges(surface, edges, points_);
        first_.assign(2 * count_, -1);
        for (int64_t edge = 0; edge < edges.count; ++edge)
            if (sides[edge] == 1 || sides[edge] == 2) follow(edges, edge, sides[edge] == 1);
    }

    const std::vector<Crossing>& crossings() const { return crossings_; }
    const Point& point(int64_t vertex) const { return points_[vertex]; }

  private:
    void follow(const Edges& edges, int64_t edge, bool left) {
        const Point &a = points_[edges.ends[2 * edge]], &b = points_[edges.ends[2 * edge + 1]];
        const double dx = b.x - a.x, dy = b.y - a.y, square = dx * dx + dy * dy;
        if (!(square > 0) || !std::isfinite(square)) return;
        // The right or lower pixel is the inner one if the triangles lie there.
        follow_lines(edge, a.y, dy, a.x, dx, a.z, b.z - a.z, left == (dy < 0), dy * dy / square, true);
        follow_lines(edge, a.x, dx, a.y, dy, a.z, b.z - a.z, left == (dx > 0), dx * dx / square, false);
    }

    // Rows (or columns) whose centres lie in [from, from + step), whichever way the edge runs.
    void follow_lines(int64_t edge, double from, double step, double across, double rise, double z, double dz,
                      bool upper_is_inner, double weight, bool horizontal) {
        if (step == 0) return;
        const int64_t lines = horizontal ? surface_.height : surface_.width;
        const int64_t places = horizontal ? surface_.width : surface_.height;
        const double low = std::min(from, from + step), high = std::max(from, from + step);
        const double size = static_cast<double>(lines);
        const int64_t first = static_cast<int64_t>(std::ceil(std::clamp(low - 0.5, 0.0, size)));
        const int64_t last = static_cast<int64_t>(std::ceil(std::clamp(high - 0.5, 0.0, size)));
        for (int64_t line = first; line < last; ++line) {
            const double along = (static_cast<double>(line) + 0.5 - from) / step;
            const double place = across + along * rise - 0.5, below = std::floor(place);
            if (!(below >= 0 && below < static_cast<double>(places - 1))) continue;
            const int64_t lower = static_cast<int64_t>(below);
            const int64_t pixel = horizontal ? line * surface_.width + lower : lower * surface_.width + line;
            const int64_t next = pixel + (horizontal ? 1 : surface_.width);
            Crossing c{};
            c.inner = upper_is_inner ? next : pixel, c.outer = upper_is_inner ? pixel : next;
            c.edge = edge, c.horizontal = horizontal, c.weight = weight;
            c.along = along, c.slope = rise / step, c.sign = upper_is_inner ? -1.0 : 1.0;
            c.distance = upper_is_inner ? below + 1.0 - place : place - below;
            if (visible(c, z + along * dz)) keep(c, pixel);
        }
    }

    // The edge bounds what the inner pixel sees if its depth is nearer to that than to what lies behind.
    bool visible(const Crossing& c, double z) const {
        if (triangle_[c.inner] < 0 || triangle_[c.inner] == triangle_[c.outer]) return false;
        if (triangle_[c.outer] < 0) return true;
        const double inner = depth_[c.inner], outer = depth_[c.outer];
        return inner < outer && 2.0 * z < inner + outer;
    }

    void keep(const Crossing& c, int64_t pixel) {
        int64_t& place = first_[pixel + (c.horizontal ? 0 : count_)];
        if (place < 0) {
            place = static_cast<int64_t>(crossings_.size());
            crossings_.push_back(c);
        } else if (c.distance > crossings_[place].distance) {
            crossings_[place] = c;
        }
    }

    const Surface& surface_;
    int64_t count_;
    std::vector<Point> points_;
    const int64_t* triangle_;
    const float* depth_;
    std::vector<int64_t> first_;  // by the left or upper pixel of a pair, rows before columns
    std::vector<Crossing> crossings_;
};

void antialias_view(const Surface& surface, const Edges& edges, const Pixels& pixels, int64_t view, int64_t channels,
                    const float* color, float* out) {
    const int64_t size = surface.height * surface.width * channels;
    color += view * size, out += view * size;
    std::memcpy(out, color, size * sizeof(float));
    const Silhouettes silhouettes(surface, edges, pixels, view);
    for (const Crossing& c : silhouettes.crossings()) {
        const float amount = static_cast<float>(c.weight * (c.distance - 0.5));
        float* to = out + channels * (amount > 0 ? c.outer : c.inner);
        const float *inner = color + channels * c.inner, *outer = color + channels * c.outer;
        for (int64_t i = 0; i < channels; ++i) to[i] += amount * (inner[i] - outer[i]);
    }
}

// A derivative with respect to a place on the screen as one with respect to the position.
void add_screen_gradient(const Surface& surface, int64_t view, int64_t vertex, double x, double y, float* gradient) {
    const float* p = surface.positions + 4 * (view * surface.vertices + vertex);
    const double dx = 0.5 * static_cast<double>(surface.width) * x / p[3];
    const double dy = 0.5 * static_cast<double>(surface.height) * y / p[3];
    float* to = gradient + 4 * (view * surface.vertices + vertex);
    to[0] += static_cast<float>(dx), to[1] += static_cast<float>(dy);
    to[3] -= static_cast<float>((dx * p[0] + dy * p[1]) / p[3]);
}

void differentiate_antialias(const Surface& surface, const Edges& edges, const Pixels& pixels, int64_t view,
                             int64_t channels, const float* color, const float* gradient, float* of_color,
                             float* of_positions) {
    const int64_t size = surface.height * surface.width * channels;
    color += view * size, gradient += view * size, of_color += view * size;
    std::memcpy(of_color, gradient, size * sizeof(float));
    std::fill_n(of_positions + 4 * view * surface.vertices, 4 * surface.vertices, 0.0f);
    const Silhouettes silhouettes(surface, edges, pixels, view);
    for (const Crossing& c : silhouettes.crossings()) {
        const float amount = static_cast<float>(c.weight * (c.distance - 0.5));
        const float* g = gradient + channels * (amount > 0 ? c.outer : c.inner);
        const int64_t inner = channels * c.inner, outer = channels * c.outer;
        double of_amount = 0;
        for (int64_t i = 0; i < channels; ++i) {
            of_amount += static_cast<double>(g[i]) * (color[inner + i] - color[outer + i]);
            of_color[inner + i] += amount * g[i], of_color[outer + i] -= amount * g[i];
        }
        const double across = of_amount * c.weight * c.sign;
        for (int end = 0; end < 2; ++end) {
            const double share = across * (end ? c.along : 1.0 - c.along), other = -c.slope * share;
            add_screen_gradient(surface, view, edges.ends[2 * c.edge + end], c.horizontal ? share : other,
                                c.horizontal ? other : share, of_positions);
        }
    }
}

// ------------------------------------------------------------------------------------------------------------- edges

struct HalfEdge {
    int64_t other, place;  // the larger end; 3 face + corner opposite
};

// Every edge once, sorted by its ends; of_face as in the interface. Returns their number.
int64_t list_edges(const int64_t* corners, int64_t vertices, int64_t faces, int64_t* ends, int64_t* of_face) {
    std::vector<int64_t> begin(vertices + 1, 0);
    const auto low = [&](int64_t face, int i) {
        return std::min(corners[3 * face + (i + 1) % 3], corners[3 * face + (i + 2) % 3]);
    };
    for (int64_t face = 0; face < faces; ++face)
        for (int i = 0; i < 3; ++i) ++begin[low(face, i) + 1];
    for (int64_t vertex = 0; vertex < vertices; ++vertex) begin[vertex + 1] += begin[vertex];
    std::vector<HalfEdge> halves(3 * faces);
    std::vector<int64_t> next(begin.begin(), begin.end() - 1);
    for (int64_t face = 0; face < faces; ++face)
        for (int i = 0; i < 3; ++i) {
            const int64_t other = std::max(corners[3 * face + (i + 1) % 3], corners[3 * face + (i + 2) % 3]);
            halves[next[low(face, i)]++] = {other, 3 * face + i};
        }
    int64_t count = 0;
    for (int64_t vertex = 0; vertex < vertices; ++vertex) {
        HalfEdge *first = halves.data() + begin[vertex], *last = halves.data() + begin[vertex + 1];
        std::sort(first, last, [](const HalfEdge& a, const HalfEdge& b) {
            return a.other < b.other || (a.other == b.other && a.place < b.place);
        });
        for (HalfEdge* half = first; half < last; ++half) {
            if (half == first || half->other != half[-1].other)
                ends[2 * count] = vertex, ends[2 * count + 1] = half->other, ++count;
            of_face[half->place] = count - 1;
        }
    }
    return count;
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_rasterization_version() { return 1; }

LODESTONE_API int lodestone_rasterization_forward(const Surface* surface, const Pixels* out) {
    try {
        return lodestone::draw(*surface, *out);
    } catch (...) {
        return lodestone::kOutOfMemory;
    }
}

// `gradient` is that of the barycentrics, `of_positions` is v n 4.
LODESTONE_API int lodestone_rasterization_backward(const Surface* surface, const int64_t* triangle,
                                                   const float* gradient, float* of_positions) {
    using namespace lodestone;
    return run_parallel(surface->threads, surface->views, [&](int, int64_t view) {
        float* to = of_positions + 4 * view * surface->vertices;
        std::fill_n(to, 4 * surface->vertices, 0.0f);
        for_each_seen(*surface, triangle, view, 0, surface->height,
                      [&](int64_t pixel, int64_t face, double px, double py) {
                          differentiate_barycentrics(*surface, view, face, px, py, gradient + 3 * pixel, to);
                      });
    });
}

LODESTONE_API int lodestone_interpolation_forward(const Surface* surface, const Attributes* in, const Pixels* pixels,
                                                  float* out) {
    using namespace lodestone;
    const int64_t bands = (surface->height + kBand - 1) / kBand;
    return run_parallel(surface->threads, surface->views * bands, [&](int, int64_t task) {
        interpolate_band(*surface, *in, *pixels, task / bands, task % bands * kBand, out);
    });
}

// `of_values` is v n c even where the attributes are shared; it and `of_barycentrics` may be null.
LODESTONE_API int lodestone_interpolation_backward(const Surface* surface, const Attributes* in, const Pixels* pixels,
                                                   const float* gradient, float* of_values, float* of_barycentrics) {
    using namespace lodestone;
    return run_parallel(surface->threads, surface->views, [&](int, int64_t view) {
        differentiate_interpolation(*surface, *in, *pixels, gradient, view, of_values, of_barycentrics);
    });
}

LODESTONE_API int lodestone_antialiasing_forward(const Surface* surface, const Edges* edges, const Pixels* pixels,
                                                 int64_t channels, const float* color, float* out) {
    using namespace lodestone;
    return run_parallel(surface->threads, surface->views, [&](int, int64_t view) {
        antialias_view(*surface, *edges, *pixels, view, channels, color, out);
    });
}

LODESTONE_API int lodestone_antialiasing_backward(const Surface* surface, const Edges* edges, const Pixels* pixels,
                                                  int64_t channels, const float* color, const float* gradient,
                                                  float* of_color, float* of_positions) {
    using namespace lodestone;
    return run_parallel(surface->threads, surface->views, [&](int, int64_t view) {
        differentiate_antialias(*surface, *edges, *pixels, view, channels, color, gradient, of_color, of_positions);
    });
}

// `ends` has room for 3 f 2. Returns the number of edges, or -1 when memory is short.
LODESTONE_API int64_t lodestone_rasterization_edges(const int64_t* corners, int64_t vertices, int64_t faces,
                                                    int64_t* ends, int64_t* of_face) {
    try {
        return lodestone::list_edges(corners, vertices, faces, ends, of_face);
    } catch (...) {
        return -1;
    }
}
