// Gaussian splatting on the CPU: projection, tile binning, compositing, and the gradient of each.
//
// Method: Kerbl et al. 2023 (arXiv 2308.04079), with the splat of Zwicker et al. 2001 and the conventions of gsplat
// (arXiv 2409.06765). A screen covariance ((a, b), (b, c)) is used in its conditional form
//     sigma = t^2 / (2 s) + dy^2 / (2 c),   t = dx - (b / c) dy,   s = a - b^2 / c,
// which is never negative and gives the columns that a Gaussian reaches in a row without solving anything.
//
// Forward   1. per (camera, chunk of Gaussians): project, and list the tiles met with a bit per block of 4 x 2 pixels;
//           2. per (camera, chunk): deal that list out to the tiles;
//           3. per (camera, tile): sort by depth, composite front to back.
// Backward  1. per (camera, tile): front to back again. With S = <gradient, output> per pixel, S -= w <gradient, c>
// leaves
//              what lies behind the current Gaussian, so dL/dalpha = (T_next <gradient, c> - S) / (1 - alpha) needs no
//              reverse walk. Every (Gaussian, tile) pair owns a place for its ten sums, in the order in which they are
//              written: stores that miss the cache, one after another, would hold up the arithmetic;
//           2. per group of Gaussians: add their places in order, apply the gradient of the projection.
// Chunks do not depend on the number of threads and no sum is shared, so results are equal to the bit for any of them.

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "parallel.hpp"
#include "simd.hpp"

// The C interface. Arrays are contiguous, row-major, float32.
struct SplattingScene {
    int64_t gaussians, views, height, width, threads;
    const float *means, *quaternions, *scales, *opacities, *colors;  // n 3, n 4, n 3, n, n 3
    const float *world_to_camera, *intrinsics;                       // v 4 4, v 3 3
    const float* screen_offset;                                      // v n 2, or null
};

struct SplattingImages {
    float *color, *opacity, *depth;  // v h w 3, v h w 1, v h w 1; as gradients each may be null
};

struct SplattingGradients {
    float *means, *quaternions, *scales, *opacities, *colors;  // as in the scene
    float* screen_offset;                                      // v n 2, or null
};

namespace lodestone {
namespace {

constexpr float kNearPlane = 0.01f;
constexpr float kDilation = 0.3f;  // variance in square pixels added to every splat
constexpr float kSmallestAlpha = 1.0f / 255.0f;
constexpr float kLargestAlpha = 0.999f;
constexpr float kSmallestTransmittance = 1e-4f;
constexpr float kLargestExtent = 3.33f;  // standard deviations
constexpr float kViewMargin = 0.3f;      // part of the half field of view by which x / z may leave it in the Jacobian
constexpr float kHalfLog2E = 0.721347520f;

constexpr int kTile = 16;           // pixels on a side
constexpr int kBlocks = 32;         // blocks of 4 x 2 pixels in a tile, one bit each
constexpr int kParts = 8 / kLanes;  // vectors in a block
constexpr int kGroup = 64;          // Gaussians that are projected together
constexpr int kChunks = 64;         // at most so many chunks per camera
constexpr int kSums = 12;           // floats in a place: ten sums and two that pad it to three vectors of four

// Memory that grows, is never cleared, and is kept for the next call.
template <class T>
class Buffer {
  public:
    T* reserve(size_t count) {
        if (count > capacity_) {
            const size_t larger = count + count / 4;
            data_.reset();
            capacity_ = 0;
            void* memory = std::malloc(larger * sizeof(T) + kAlignment);
            if (memory == nullptr) throw std::bad_alloc();
            data_.reset(memory);
            capacity_ = larger;
        }
        return data();
    }

    // As reserve, but what is there stays.
    T* grow(size_t used, size_t count) {
        if (count <= capacity_) return data();
        Buffer larger;
        larger.reserve(2 * count);
        if (used) std::memcpy(larger.data(), data(), used * sizeof(T));
        std::swap(data_, larger.data_);
        std::swap(capacity_, larger.capacity_);
        return data();
    }

    T* data() const {
        const uintptr_t address = reinterpret_cast<uintptr_t>(data_.get());
        return reinterpret_cast<T*>((address + kAlignment - 1) & ~uintptr_t{kAlignment - 1});
    }

  private:
    static constexpr uintptr_t kAlignment = 64;
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> data_;
    size_t capacity_ = 0;
};

// What compositing reads of a projected Gaussian; the curvatures include log2(e) / 2.
struct Splat {
    float x, y, slope, curvature_x, curvature_y, opacity, color[3], depth, unused[2];
};

// What binning reads of it.
struct Footprint {
    float x, y, slope, spread, curvature, level, half_width, half_height;
};

struct Hit {  // a Gaussian meets a tile, in the order of Gaussians
    uint32_t gaussian, tile, mask;
};

struct Entry {  // the same, where the tile is known
    uint32_t gaussian, mask;
};

struct Span {  // the hits of one Gaussian
    uint32_t first, count;
};

struct Chunk {
    Buffer<Hit> hits;
    size_t count = 0;
    uint32_t first_hit = 0;
};

struct SortScratch {
    Buffer<uint64_t> keys;
};

struct Workspace {
    int64_t gaussians = 0, views = 0, height = 0, width = 0;
    int64_t tiles_x = 0, tiles_y = 0, tiles = 0, chunk_size = 1, chunks = 0;
    Buffer<Splat> splats;              // v n
    Buffer<Span> spans;                // v n
    std::vector<Chunk> chunk;          // v chunks
    Buffer<uint32_t> offsets;          // v chunks tiles: counts, then where each chunk writes in each tile
    Buffer<uint32_t> tile_begin;       // v tiles + 1
    Buffer<Entry> covered;             // by hit
    Buffer<uint64_t> keys;             // depth and number of the hit, by tile
    Buffer<Entry> entries;             // by tile, front to back
    Buffer<uint32_t> places;           // by hit: where among the entries it is
    Buffer<float> sums;                // entries kSums
    std::vector<SortScratch> scratch;  // by worker
    std::mutex sole;
};

// ---------------------------------------------------------------------------------------------------------- projection

struct Camera {
    Float rotation[3][3], translation[3];
    Float focal_x, focal_y, center_x, center_y;
    Float left, right, top, bottom;  // bounds of x / z and y / z in the Jacobian
    float width, height;
};

Camera camera_of(const SplattingScene& scene, int64_t view) {
    const float* matrix = scene.world_to_camera + 16 * view;
    const float* k = scene.intrinsics + 9 * view;
    Camera camera;
    for (int row = 0; row < 3; ++row) {
        for (int column = 0; column < 3; ++column) camera.rotation[row][column] = broadcast(matrix[4 * row + column]);
        camera.translation[row] = broadcast(matrix[4 * row + 3]);
    }
    const float fx = k[0], fy = k[4], cx = k[2], cy = k[5];
    camera.width = static_cast<float>(scene.width);
    camera.height = static_cast<float>(scene.height);
    const float margin_x = kViewMargin * 0.5f * camera.width / fx, margin_y = kViewMargin * 0.5f * camera.height / fy;
    camera.focal_x = broadcast(fx), camera.focal_y = broadcast(fy);
    camera.center_x = broadcast(cx), camera.center_y = broadcast(cy);
    camera.left = broadcast(-cx / fx - margin_x), camera.right = broadcast((camera.width - cx) / fx + margin_x);
    camera.top = broadcast(-cy / fy - margin_y), camera.bottom = broadcast((camera.height - cy) / fy + margin_y);
    return camera;
}

// Parameters of kGroup Gaussians, transposed.
struct Group {
    alignas(64) float mean[3][kGroup], quaternion[4][kGroup], scale[3][kGroup], opacity[kGroup];
};

template <int kWidth>
void transpose(const float* rows, int count, float (*columns)[kGroup]) {
    for (int column = 0; column < kWidth; ++column) {
        for (int i = 0; i < count; ++i) columns[column][i] = rows[kWidth * i + column];
        for (int i = count; i < kGroup; ++i) columns[column][i] = 0.0f;
    }
}

template <int kWidth>
void transpose_back(const float (*columns)[kGroup], int count, float* rows) {
    for (int i = 0; i < count; ++i)
        for (int column = 0; column < kWidth; ++column) rows[kWidth * i + column] = columns[column][i];
}

void read_group(const SplattingScene& scene, int64_t first, int count, Group& group) {
    transpose<3>(scene.means + 3 * first, count, group.mean);
    transpose<4>(scene.quaternions + 4 * first, count, group.quaternion);
    transpose<3>(scene.scales + 3 * first, count, group.scale);
    transpose<1>(scene.opacities + first, count, &group.opacity);
}

struct Rotation {
    Float w, x, y, z, inverse_norm;  // the unit quaternion
    Float matrix[3][3];
};

Rotation rotation_of(const Group& group, int i) {
    Rotation r;
    const Float w = load(group.quaternion[0] + i), x = load(group.quaternion[1] + i);
    const Float y = load(group.quaternion[2] + i), z = load(group.quaternion[3] + i);
    r.inverse_norm = 1.0f / maximum(square_root(w * w + x * x + y * y + z * z), broadcast(1e-12f));
    r.w = w * r.inverse_norm, r.x = x * r.inverse_norm, r.y = y * r.inverse_norm, r.z = z * r.inverse_norm;
    r.matrix[0][0] = 1.0f - 2.0f * (r.y * r.y + r.z * r.z);
    r.matrix[0][1] = 2.0f * (r.x * r.y - r.w * r.z);
    r.matrix[0][2] = 2.0f * (r.x * r.z + r.w * r.y);
    r.matrix[1][0] = 2.0f * (r.x * r.y + r.w * r.z);
    r.matrix[1][1] = 1.0f - 2.0f * (r.x * r.x + r.z * r.z);
    r.matrix[1][2] = 2.0f * (r.y * r.z - r.w * r.x);
    r.matrix[2][0] = 2.0f * (r.x * r.z - r.w * r.y);
    r.matrix[2][1] = 2.0f * (r.y * r.z + r.w * r.x);
    r.matrix[2][2] = 1.0f - 2.0f * (r.x * r.x + r.y * r.y);
    return r;
}

// A Gaussian on the screen, with what the gradient needs again. J is the Jacobian of the projection, P = J W its
// product with the camera's rotation, r_j the j-th column of the Gaussian's rotation; the screen factor is (u; v)_j =
// s_j P r_j.
struct Projection {
    Float x, y, z, inverse_z;  // the mean in camera coordinates
    Float ratio_x, ratio_y;    // x / z and y / z, clamped
    Int inside_x, inside_y;    // where the clamp does nothing
    Float p[2][3], pr[2][3], u[3], v[3];
    Float a, b, c;        // screen covariance with dilation
    Float slope, spread;  // b / c and a - b^2 / c
    Float screen_x, screen_y;
};

inline Float dot(const Float* a, const Float* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

void project_mean(const Camera& camera, const Group& group, int i, Projection& out) {
    const Float world[3] = {load(group.mean[0] + i), load(group.mean[1] + i), load(group.mean[2] + i)};
    out.x = dot(camera.rotation[0], world) + camera.translation[0];
    out.y = dot(camera.rotation[1], world) + camera.translation[1];
    out.z = dot(camera.rotation[2], world) + camera.translation[2];
    out.inverse_z = 1.0f / out.z;
    const Float ratio_x = out.x * out.inverse_z, ratio_y = out.y * out.inverse_z;
    out.inside_x = (ratio_x >= camera.left) & (ratio_x <= camera.right);
    out.inside_y = (ratio_y >= camera.top) & (ratio_y <= camera.bottom);
    out.ratio_x = minimum(maximum(ratio_x, camera.left), camera.right);
    out.ratio_y = minimum(maximum(ratio_y, camera.top), camera.bottom);
    out.screen_x = camera.focal_x * ratio_x + camera.center_x;
    out.screen_y = camera.focal_y * ratio_y + camera.center_y;
}

void project_covariance(const Camera& camera, const Rotation& rotation, const Group& group, int i, Projection& out) {
    const Float jx = camera.focal_x * out.inverse_z, jy = camera.focal_y * out.inverse_z;
    for (int k = 0; k < 3; ++k) {
        out.p[0][k] = jx * (camera.rotation[0][k] - out.ratio_x * camera.rotation[2][k]);
        out.p[1][k] = jy * (camera.rotation[1][k] - out.ratio_y * camera.rotation[2][k]);
    }
    for (int j = 0; j < 3; ++j) {
        const Float column[3] = {rotation.matrix[0][j], rotation.matrix[1][j], rotation.matrix[2][j]};
        const Float scale = load(group.scale[j] + i);
        out.pr[0][j] = dot(out.p[0], column), out.pr[1][j] = dot(out.p[1], column);
        out.u[j] = scale * out.pr[0][j], out.v[j] = scale * out.pr[1][j];
    }
    out.a = dot(out.u, out.u) + kDilation, out.b = dot(out.u, out.v), out.c = dot(out.v, out.v) + kDilation;
    out.slope = out.b / out.c;
    // The determinant by Lagrange's identity, |u x v|^2 + ..., does not cancel for needles as a c - b^2 does.
    const Float cross[3] = {out.u[1] * out.v[2] - out.u[2] * out.v[1], out.u[2] * out.v[0] - out.u[0] * out.v[2],
                            out.u[0] * out.v[1] - out.u[1] * out.v[0]};
    out.spread = (dot(cross, cross) + kDilation * (out.a + out.c - kDilation)) / out.c;
}

Projection project(const Camera& camera, const Rotation& rotation, const Group& group, int i) {
    Projection out;
    project_mean(camera, group, i, out);
    project_covariance(camera, rotation, group, i, out);
    return out;
}

// Projected values of a group, one array each, on their way to the records.
struct ProjectedGroup {
    alignas(64) float x[kGroup], y[kGroup], slope[kGroup], spread[kGroup], curvature_x[kGroup], curvature_y[kGroup];
    alignas(64) float level[kGroup], half_width[kGroup], half_height[kGroup], depth[kGroup], radius[kGroup];
};

inline Float round_up(Float x) {  // to an integer, for 0 <= x < 2^22
    const Float rounded = (x + 12582912.0f) - 12582912.0f;
    return rounded + keep(broadcast(1.0f), rounded < x);
}

// 0 where the Gaussian is culled: behind the near plane, too faint, not finite, or with its box outside the image.
Float screen_radius(const Camera& camera, const Projection& p, Float opacity, Float deviations, Float x, Float y) {
    const Float largest = broadcast(4e6f);
    const Float radius_x = round_up(minimum(deviations * square_root(p.a), largest));
    const Float radius_y = round_up(minimum(deviations * square_root(p.c), largest));
    const Int visible = (p.z > kNearPlane) & (opacity >= kSmallestAlpha) & (p.a + p.c < 1e12f) & (p.spread > 0.0f) &
                        (x + radius_x > 0.0f) & (x - radius_x < camera.width) & (y + radius_y > 0.0f) &
                        (y - radius_y < camera.height);
    return keep(maximum(radius_x, radius_y), visible);
}

void project_lanes(const Camera& camera, const Group& group, const float (*offset)[kGroup], int i,
                   ProjectedGroup& out) {
    const Projection p = project(camera, rotation_of(group, i), group, i);
    const Float opacity = load(group.opacity + i);
    const Float level = 2.0f * natural_logarithm(maximum(opacity, broadcast(kSmallestAlpha)) * 255.0f);
    const Float x = p.screen_x + load(offset[0] + i), y = p.screen_y + load(offset[1] + i);
    const Float deviations = minimum(square_root(maximum(level, Float{})), broadcast(kLargestExtent));
    // Blocks are chosen a little generously, because rounding must not lose a pixel; each pixel is tested exactly
    // later.
    const Float generous = level * 1.0001f + 1e-2f;
    store(out.x + i, x), store(out.y + i, y), store(out.depth + i, p.z);
    store(out.slope + i, p.slope), store(out.spread + i, p.spread);
    store(out.curvature_x + i, kHalfLog2E / p.spread), store(out.curvature_y + i, kHalfLog2E / p.c);
    store(out.level + i, generous);
    store(out.half_width + i, square_root(generous * p.a)), store(out.half_height + i, square_root(generous * p.c));
    store(out.radius + i, screen_radius(camera, p, opacity, deviations, x, y));
}

void project_group(const SplattingScene& scene, const Camera& camera, int64_t view, int64_t first, int count,
                   ProjectedGroup& out) {
    Group group;
    alignas(64) float offset[2][kGroup] = {};
    read_group(scene, first, count, group);
    if (scene.screen_offset) transpose<2>(scene.screen_offset + 2 * (view * scene.gaussians + first), count, offset);
    for (int i = 0; i < count; i += kLanes) project_lanes(camera, group, offset, i, out);
}

// ------------------------------------------------------------------------------------------------------------- binning

inline int clamp_to_int(float value, int low, int high) {
    return static_cast<int>(value < static_cast<float>(low) ? low : value > static_cast<float>(high) ? high : value);
}

struct Columns {  // the pixel centres from first to last lie inside, in each row
    Float first, last;
};

Columns columns_in_rows(const Footprint& f, Float y) {
    const Float dy = y - f.y;
    const Float remaining = f.level - f.curvature * dy * dy;
    const Float half = square_root(maximum(remaining, Float{}) * f.spread) + 0.01f;
    const Float center = f.x + f.slope * dy;
    const Int meets = remaining >= 0.0f;
    return {select(meets, center - half, broadcast(1e30f)), select(meets, center + half, broadcast(-1e30f))};
}

// The columns that each of the eight block rows of a row of tiles reaches: its two pixel rows united.
struct TileRow {
    Columns part[kParts];
};

TileRow meet_tile_row(const Footprint& f, int tile_y) {
    TileRow row;
    for (int part = 0; part < kParts; ++part) {
        Float y;
        for (int lane = 0; lane < kLanes; ++lane) y[lane] = 0.5f + static_cast<float>(2 * (part * kLanes + lane));
        y = y + static_cast<float>(kTile * tile_y);
        const Columns upper = columns_in_rows(f, y), lower = columns_in_rows(f, y + 1.0f);
        row.part[part] = {minimum(upper.first, lower.first), maximum(upper.last, lower.last)};
    }
    return row;
}

// Bit 4 r + j stands for the block in row r and column j of the tile.
uint32_t mask_of(const TileRow& row, int tile_x) {
    uint32_t mask = 0;
    for (int part = 0; part < kParts; ++part) {
        Int bits = {}, bit;
        for (int lane = 0; lane < kLanes; ++lane) bit[lane] = static_cast<int32_t>(1u << (4 * lane));
        for (int j = 0; j < 4; ++j) {
            const float left = 0.5f + static_cast<float>(kTile * tile_x + 4 * j);
            bits |= (row.part[part].first <= left + 3.0f) & (row.part[part].last >= left) & (bit << j);
        }
        mask |= combine(bits) << (16 * part);
    }
    return mask;
}

struct TileRange {
    int first_x, last_x, first_y, last_y;
};

TileRange tiles_of(const Footprint& f, const Workspace& work) {
    const float inverse = 1.0f / kTile;
    return {clamp_to_int((f.x - f.half_width - 0.51f) * inverse, 0, INT_MAX / 2),
            clamp_to_int((f.x + f.half_width - 0.49f) * inverse, -1, static_cast<int>(work.tiles_x) - 1),
            clamp_to_int((f.y - f.half_height - 0.51f) * inverse, 0, INT_MAX / 2),
            clamp_to_int((f.y + f.half_height - 0.49f) * inverse, -1, static_cast<int>(work.tiles_y) - 1)};
}

void list_hits(const Footprint& f, uint32_t gaussian, const Workspace& work, Chunk& chunk, uint32_t* counts) {
    const TileRange range = tiles_of(f, work);
    if (range.first_x > range.last_x || range.first_y > range.last_y) return;
    const size_t most = static_cast<size_t>(range.last_x - range.first_x + 1) * (range.last_y - range.first_y + 1);
    Hit* hits = chunk.hits.grow(chunk.count, chunk.count + most);
    for (int tile_y = range.first_y; tile_y <= range.last_y; ++tile_y) {
        const TileRow row = meet_tile_row(f, tile_y);
        for (int tile_x = range.first_x; tile_x <= range.last_x; ++tile_x) {
            const uint32_t mask = mask_of(row, tile_x);
            const uint32_t tile = static_cast<uint32_t>(tile_y * work.tiles_x + tile_x);
            hits[chunk.count] = {gaussian, tile, mask};
            chunk.count += mask != 0;
            counts[tile] += mask != 0;
        }
    }
}

void write_splat(const SplattingScene& scene, const ProjectedGroup& p, int i, int64_t gaussian, Splat& out) {
    const float* color = scene.colors + 3 * gaussian;
    out = {p.x[i],
           p.y[i],
           p.slope[i],
           p.curvature_x[i],
           p.curvature_y[i],
           scene.opacities[gaussian],
           {color[0], color[1], color[2]},
           p.depth[i],
           {}};
}

// Stage 1 of the forward pass for one chunk of one camera.
void project_and_list(const SplattingScene& scene, Workspace& work, int64_t task, float* radii) {
    const int64_t view = task / work.chunks, n = scene.gaussians;
    const int64_t begin = task % work.chunks * work.chunk_size, end = std::min(begin + work.chunk_size, n);
    const Camera camera = camera_of(scene, view);
    Chunk& chunk = work.chunk[task];
    uint32_t* counts = work.offsets.data() + task * work.tiles;
    std::memset(counts, 0, work.tiles * sizeof *counts);
    chunk.count = 0;
    ProjectedGroup p;
    for (int64_t first = begin; first < end; first += kGroup) {
        const int count = static_cast<int>(std::min<int64_t>(kGroup, end - first));
        project_group(scene, camera, view, first, count, p);
        for (int i = 0; i < count; ++i) {
            const int64_t gaussian = first + i, index = view * n + gaussian;
            const size_t before = chunk.count;
            radii[index] = p.radius[i];
            if (p.radius[i] > 0.0f) {
                write_splat(scene, p, i, gaussian, work.splats.data()[index]);
                const Footprint f{
                    p.x[i],     p.y[i],          p.slope[i],      p.spread[i], p.curvature_y[i] * (1.0f / kHalfLog2E),
                    p.level[i], p.half_width[i], p.half_height[i]};
                list_hits(f, static_cast<uint32_t>(gaussian), work, chunk, counts);
            }
            work.spans.data()[index] = {static_cast<uint32_t>(before), static_cast<uint32_t>(chunk.count - before)};
        }
    }
}

// Turns the counts per chunk and tile into positions; the order within a tile is that of the Gaussians.
int64_t lay_out(Workspace& work) {
    int64_t total = 0;
    for (Chunk& chunk : work.chunk) {
        chunk.first_hit = static_cast<uint32_t>(total);
        total += static_cast<int64_t>(chunk.count);
    }
    if (total > INT32_MAX) return -1;
    uint32_t position = 0;
    uint32_t* begin = work.tile_begin.data();
    for (int64_t view = 0; view < work.views; ++view, begin += work.tiles) {
        uint32_t* counts = work.offsets.data() + view * work.chunks * work.tiles;
        std::memset(begin, 0, work.tiles * sizeof *begin);
        for (int64_t chunk = 0; chunk < work.chunks; ++chunk)
            for (int64_t tile = 0; tile < work.tiles; ++tile) {
                const uint32_t count = counts[chunk * work.tiles + tile];
                counts[chunk * work.tiles + tile] = begin[tile];
                begin[tile] += count;
            }
        for (int64_t tile = 0; tile < work.tiles; ++tile) {
            const uint32_t count = begin[tile];
            begin[tile] = position;
            position += count;
        }
    }
    *begin = position;
    return total;
}

// Stage 2: the order within a tile is still that of the Gaussians; the key holds the bits of the depth, which for
// positive floats are ordered as the depth is, and the hit, which makes the order of equal depths that of the
// Gaussians.
void deal_out(Workspace& work, int64_t task) {
    const int64_t view = task / work.chunks, n = work.gaussians;
    const int64_t begin = task % work.chunks * work.chunk_size, end = std::min(begin + work.chunk_size, n);
    const Chunk& chunk = work.chunk[task];
    const uint32_t* tile_begin = work.tile_begin.data() + view * work.tiles;
    uint32_t* offsets = work.offsets.data() + task * work.tiles;
    for (size_t i = 0; i < chunk.count; ++i) {
        const Hit& hit = chunk.hits.data()[i];
        const uint32_t number = chunk.first_hit + static_cast<uint32_t>(i);
        uint32_t depth;
        std::memcpy(&depth, &work.splats.data()[view * n + hit.gaussian].depth, sizeof depth);
        work.keys.data()[tile_begin[hit.tile] + offsets[hit.tile]++] = static_cast<uint64_t>(depth) << 32 | number;
        work.covered.data()[number] = {hit.gaussian, hit.mask};
    }
    for (int64_t i = begin; i < end; ++i) work.spans.data()[view * n + i].first += chunk.first_hit;
}

// ------------------------------------------------------------------------------------------------------------- sorting

void insertion_sort(uint64_t* keys, size_t count) {
    for (size_t i = 1; i < count; ++i) {
        const uint64_t key = keys[i];
        size_t j = i;
        for (; j > 0 && keys[j - 1] > key; --j) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

// One stable pass over eight bits of the upper word, relative to its least value.
void radix_pass(const uint64_t* from, uint64_t* to, size_t count, uint32_t least, int shift) {
    uint32_t position[256] = {};
    for (size_t i = 0; i < count; ++i) ++position[(static_cast<uint32_t>(from[i] >> 32) - least) >> shift & 255];
    uint32_t sum = 0;
    for (uint32_t& entry : position) {
        const uint32_t here = entry;
        entry = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; ++i)
        to[position[(static_cast<uint32_t>(from[i] >> 32) - least) >> shift & 255]++] = from[i];
}

// Returns the sorted keys, which lie in either buffer. Keys with equal upper words arrive sorted by their lower words.
const uint64_t* sort_by_depth(uint64_t* keys, size_t count, SortScratch& scratch) {
    if (count <= 48) {
        insertion_sort(keys, count);
        return keys;
    }
    uint32_t least = UINT32_MAX, most = 0;
    for (size_t i = 0; i < count; ++i) {
        const uint32_t depth = static_cast<uint32_t>(keys[i] >> 32);
        least = std::min(least, depth), most = std::max(most, depth);
    }
    uint64_t* other = scratch.keys.reserve(count);
    for (int shift = 0; shift < 32 && (most - least) >> shift != 0; shift += 8) {
        radix_pass(keys, other, count, least, shift);
        std::swap(keys, other);
    }
    return keys;
}

void sort_tile(Workspace& work, int64_t tile, SortScratch& scratch) {
    const uint32_t begin = work.tile_begin.data()[tile], count = work.tile_begin.data()[tile + 1] - begin;
    const uint64_t* keys = sort_by_depth(work.keys.data() + begin, count, scratch);
    Entry* entries = work.entries.data() + begin;
    for (uint32_t i = 0; i < count; ++i) {
        const uint32_t hit = static_cast<uint32_t>(keys[i]);
        entries[i] = work.covered.data()[hit];
        work.places.data()[hit] = begin + i;
    }
}

// --------------------------------------------------------------------------------------------------------- compositing

struct SplatLanes {
    Float x, y, slope, curvature_x, curvature_y, opacity, color[3], depth;
};

inline SplatLanes lanes_of(const Splat& splat, float origin_x, float origin_y) {
    return {broadcast(splat.x - origin_x),
            broadcast(splat.y - origin_y),
            broadcast(splat.slope),
            broadcast(splat.curvature_x),
            broadcast(splat.curvature_y),
            broadcast(splat.opacity),
            {broadcast(splat.color[0]), broadcast(splat.color[1]), broadcast(splat.color[2])},
            broadcast(splat.depth)};
}

// How a Gaussian covers some pixels. Both passes compute it here, with each product feeding one sum, so that the
// compiler contracts both alike and they agree on every threshold.
struct Coverage {
    Float t, dy;
    Float unclamped;      // opacity exp(-sigma)
    Float alpha;          // 0 where it is below the smallest alpha
    Float remaining;      // 1 - alpha
    Float transmittance;  // after this Gaussian; that before it where the pixel is done
    Int active;           // not done, nor by this Gaussian
};

inline Coverage cover(const SplatLanes& s, Float x, Float y, Float transmittance) {
    Coverage c;
    c.dy = y - s.y;
    c.t = (x - s.x) - s.slope * c.dy;
    const Float row = s.curvature_y * c.dy, column = s.curvature_x * c.t;
    const Float exponent = minimum(row * c.dy + column * c.t, broadcast(16.0f));
    c.unclamped = s.opacity * exp2(-exponent);
    c.alpha = keep(minimum(c.unclamped, broadcast(kLargestAlpha)), c.unclamped >= kSmallestAlpha);
    c.remaining = 1.0f - c.alpha;
    const Float next = transmittance * c.remaining;
    c.active = next > kSmallestTransmittance;
    // A done pixel carries a negative transmittance, so that the test above fails for it from then on.
    c.transmittance = select(c.active, next, (Float)((Int)transmittance | INT32_MIN));
    return c;
}

struct Window {  // a tile and its place in the images
    int64_t view;
    int left, top, width, height;  // the width and height are cut at the border of the image
    float origin_x, origin_y;
};

Window window_of(const Workspace& work, int64_t tile) {
    const int64_t view = tile / work.tiles, local = tile % work.tiles;
    const int left = static_cast<int>(local % work.tiles_x) * kTile,
              top = static_cast<int>(local / work.tiles_x) * kTile;
    return {view,
            left,
            top,
            static_cast<int>(std::min<int64_t>(kTile, work.width - left)),
            static_cast<int>(std::min<int64_t>(kTile, work.height - top)),
            static_cast<float>(left),
            static_cast<float>(top)};
}

// The lanes of a vector in tile coordinates: a block is four pixels wide and two high, split into kParts vectors.
inline int lane_x(int cell, int lane) { return 4 * (cell / kParts % 4) + lane % 4; }
inline int lane_y(int cell, int lane) { return 2 * (cell / kParts / 4) + (cell % kParts * kLanes + lane) / 4; }

constexpr int kCells = kBlocks * kParts;

struct PixelCenters {
    Float x[kCells], y[kCells];
    PixelCenters() {
        for (int cell = 0; cell < kCells; ++cell)
            for (int lane = 0; lane < kLanes; ++lane) {
                x[cell][lane] = 0.5f + static_cast<float>(lane_x(cell, lane));
                y[cell][lane] = 0.5f + static_cast<float>(lane_y(cell, lane));
            }
    }
};

const PixelCenters kCenters;

uint32_t blocks_in(const Window& window) {
    uint32_t blocks = 0;
    for (int block = 0; block < kBlocks; ++block)
        if (4 * (block % 4) < window.width && 2 * (block / 4) < window.height) blocks |= 1u << block;
    return blocks;
}

// kWidth > 0 tells the compiler the width of the row.
template <int kWidth, class Visit>
inline void for_each_pixel_in_row(int y, int width, int64_t first, Visit&& visit) {
    const int end = kWidth ? kWidth : width;
    const int in_block = y % 2 * 4;
    for (int x = 0; x < end; ++x)
        visit((y / 2 * 4 + x / 4) * kParts + in_block / kLanes, in_block % kLanes + x % 4, first + x);
}

// Calls visit(cell, lane, pixel) for the pixels of a tile that lie in the image.
template <class Visit>
inline void for_each_pixel(const Workspace& work, const Window& window, Visit&& visit) {
    for (int y = 0; y < window.height; ++y) {
        const int64_t first = (window.view * work.height + window.top + y) * work.width + window.left;
        if (window.width == kTile) {
            for_each_pixel_in_row<kTile>(y, kTile, first, visit);
        } else {
            for_each_pixel_in_row<0>(y, window.width, first, visit);
        }
    }
}

struct ForwardCell {
    Float transmittance, color[3], depth;
};

// Marks the pixels outside the image as done.
template <class Cell>
void start_cells(const Workspace& work, const Window& window, Cell* cells) {
    for (int cell = 0; cell < kCells; ++cell) {
        cells[cell] = Cell{};
        cells[cell].transmittance = broadcast(window.width == kTile && window.height == kTile ? 1.0f : -1.0f);
    }
    if (window.width == kTile && window.height == kTile) return;
    for_each_pixel(work, window, [&](int cell, int lane, int64_t) { cells[cell].transmittance[lane] = 1.0f; });
}

// Returns whether a pixel of the cell still goes on.
inline bool composite_cell(const SplatLanes& s, int index, ForwardCell& cell) {
    const Coverage c = cover(s, kCenters.x[index], kCenters.y[index], cell.transmittance);
    const Float weight = keep(c.alpha * cell.transmittance, c.active);
    for (int k = 0; k < 3; ++k) cell.color[k] = cell.color[k] + weight * s.color[k];
    cell.depth = cell.depth + weight * s.depth;
    cell.transmittance = c.transmittance;
    return any(c.active);
}

// Composites one Gaussian on the blocks of mask and returns those that are done.
inline uint32_t composite_splat(const SplatLanes& s, uint32_t mask, ForwardCell* cells) {
    uint32_t done = 0;
    for (; mask != 0; mask &= mask - 1) {
        const int block = __builtin_ctz(mask);
        bool active = false;
        for (int part = 0; part < kParts; ++part)
            active |= composite_cell(s, block * kParts + part, cells[block * kParts + part]);
        if (!active) done |= 1u << block;
    }
    return done;
}

void composite_entries(const Workspace& work, const Window& window, int64_t tile, ForwardCell* cells) {
    const uint32_t end = work.tile_begin.data()[tile + 1];
    const Splat* splats = work.splats.data() + window.view * work.gaussians;
    const Entry* entries = work.entries.data();
    uint32_t alive = blocks_in(window);
    for (uint32_t i = work.tile_begin.data()[tile]; i < end && alive != 0; ++i) {
        if (i + 8 < end) __builtin_prefetch(&splats[entries[i + 8].gaussian]);
        const uint32_t mask = entries[i].mask & alive;
        if (mask == 0) continue;
        alive &= ~composite_splat(lanes_of(splats[entries[i].gaussian], window.origin_x, window.origin_y), mask, cells);
    }
}

// Stage 3.
void composite_tile(Workspace& work, const SplattingImages& images, int64_t tile, SortScratch& scratch) {
    const Window window = window_of(work, tile);
    ForwardCell cells[kCells];
    sort_tile(work, tile, scratch);
    start_cells(work, window, cells);
    composite_entries(work, window, tile, cells);
    for_each_pixel(work, window, [&](int cell, int lane, int64_t pixel) {
        for (int k = 0; k < 3; ++k) images.color[3 * pixel + k] = cells[cell].color[k][lane];
        images.depth[pixel] = cells[cell].depth[lane];
        images.opacity[pixel] = 1.0f - std::fabs(cells[cell].transmittance[lane]);
    });
}

// ------------------------------------------------------------------------------------------- gradient of compositing

struct BackwardCell {
    Float transmittance;
    Float behind;                    // S: <gradient, what the Gaussians not yet visited add to the output>
    Float color[3], depth, opacity;  // gradients with respect to the output
};

// With V = alpha dL/dalpha, summed over pixels: V, V t, V dy, V t^2, V t dy, V dy^2, and w times the gradients of the
// output.
struct Sums {
    Float v, t, y, tt, ty, yy, color[3], depth;
};

inline bool accumulate_cell(const SplatLanes& s, int index, BackwardCell& cell, Sums& sums) {
    const Coverage c = cover(s, kCenters.x[index], kCenters.y[index], cell.transmittance);
    const Float weight = keep(c.alpha * cell.transmittance, c.active);
    Float value = cell.opacity + s.depth * cell.depth;
    for (int k = 0; k < 3; ++k) value = value + s.color[k] * cell.color[k];
    cell.behind = cell.behind - weight * value;
    const Float odds = c.alpha / c.remaining;  // not a factor of the difference: the division need not wait for it
    const Float v = keep(odds * (c.transmittance * value - cell.behind), c.active & (c.unclamped <= kLargestAlpha));
    const Float vt = v * c.t, vy = v * c.dy;
    sums.v = sums.v + v, sums.t = sums.t + vt, sums.y = sums.y + vy;
    sums.tt = sums.tt + vt * c.t, sums.ty = sums.ty + vt * c.dy, sums.yy = sums.yy + vy * c.dy;
    for (int k = 0; k < 3; ++k) sums.color[k] = sums.color[k] + weight * cell.color[k];
    sums.depth = sums.depth + weight * cell.depth;
    cell.transmittance = c.transmittance;
    return any(c.active);
}

inline uint32_t accumulate_splat(const SplatLanes& s, uint32_t mask, BackwardCell* cells, float* out) {
    uint32_t done = 0;
    Sums sums{};
    for (; mask != 0; mask &= mask - 1) {
        const int block = __builtin_ctz(mask);
        bool active = false;
        for (int part = 0; part < kParts; ++part)
            active |= accumulate_cell(s, block * kParts + part, cells[block * kParts + part], sums);
        if (!active) done |= 1u << block;
    }
    store4(out, sums_over_lanes(sums.v, sums.t, sums.y, sums.tt));
    store4(out + 4, sums_over_lanes(sums.ty, sums.yy, sums.color[0], sums.color[1]));
    store4(out + 8, sums_over_lanes(sums.color[2], sums.depth, Float{}, Float{}));
    return done;
}

void accumulate_entries(Workspace& work, const Window& window, int64_t tile, BackwardCell* cells) {
    const uint32_t end = work.tile_begin.data()[tile + 1];
    const Splat* splats = work.splats.data() + window.view * work.gaussians;
    const Entry* entries = work.entries.data();
    uint32_t alive = blocks_in(window);
    for (uint32_t i = work.tile_begin.data()[tile]; i < end; ++i) {
        float* sums = work.sums.data() + static_cast<size_t>(kSums) * i;
        const uint32_t mask = entries[i].mask & alive;
        if (mask == 0) {
            std::memset(sums, 0, kSums * sizeof *sums);
            continue;
        }
        if (i + 8 < end) __builtin_prefetch(&splats[entries[i + 8].gaussian]);
        alive &= ~accumulate_splat(lanes_of(splats[entries[i].gaussian], window.origin_x, window.origin_y), mask, cells,
                                   sums);
    }
}

// A gradient that nothing flows into is null.
inline float value_or_zero(const float* values, int64_t index) { return values ? values[index] : 0.0f; }

// Stage 1 of the backward pass.
void accumulate_tile(Workspace& work, const SplattingImages& images, const SplattingImages& gradients, int64_t tile) {
    const Window window = window_of(work, tile);
    BackwardCell cells[kCells];
    start_cells(work, window, cells);
    for_each_pixel(work, window, [&](int index, int lane, int64_t pixel) {
        BackwardCell& cell = cells[index];
        const float depth = value_or_zero(gradients.depth, pixel), opacity = value_or_zero(gradients.opacity, pixel);
        cell.depth[lane] = depth, cell.opacity[lane] = opacity;
        float behind = depth * images.depth[pixel] + opacity * images.opacity[pixel];
        for (int k = 0; k < 3; ++k) {
            const float color = value_or_zero(gradients.color, 3 * pixel + k);
            cell.color[k][lane] = color;
            behind += color * images.color[3 * pixel + k];
        }
        cell.behind[lane] = behind;
    });
    accumulate_entries(work, window, tile, cells);
}

// -------------------------------------------------------------------------------------------- gradient of projection

struct SummedGroup {  // the sums of kGroup Gaussians for one camera, transposed
    alignas(64) float sum[kSums][kGroup];
    alignas(64) int32_t met[kGroup];  // -1 where the Gaussian meets a tile
};

// Asks for the sums of a group ahead of their use: their places are scattered over the tiles.
void prefetch_sums(const Workspace& work, const Span* spans, int count) {
    const uint32_t end = spans[count - 1].first + spans[count - 1].count;
    for (uint32_t hit = spans[0].first; hit < end; ++hit) {
        const float* sums = work.sums.data() + static_cast<size_t>(kSums) * work.places.data()[hit];
        __builtin_prefetch(sums), __builtin_prefetch(sums + kSums - 1);
    }
}

// Returns whether any Gaussian of the group meets a tile of this camera.
bool add_places(const Workspace& work, int64_t view, int64_t first, int count, SummedGroup& out) {
    const Span* spans = work.spans.data() + view * work.gaussians + first;
    bool any_met = false;
    prefetch_sums(work, spans, count);
    for (int i = 0; i < kGroup; ++i) {
        const Span span = i < count ? spans[i] : Span{0, 0};
        Float4 a = {}, b = {}, c = {};
        for (uint32_t hit = span.first; hit < span.first + span.count; ++hit) {
            const float* sums = work.sums.data() + static_cast<size_t>(kSums) * work.places.data()[hit];
            a += load4(sums), b += load4(sums + 4), c += load4(sums + 8);
        }
        for (int k = 0; k < 4; ++k) out.sum[k][i] = a[k], out.sum[4 + k][i] = b[k], out.sum[8 + k][i] = c[k];
        out.met[i] = span.count != 0 ? -1 : 0;
        any_met |= span.count != 0;
    }
    return any_met;
}

struct GroupGradient {
    alignas(64) float mean[3][kGroup], rotation[9][kGroup], scale[3][kGroup], opacity[1][kGroup], color[3][kGroup];
};

inline void add_to(float* sum, Float value, Int mask) { store(sum, load(sum) + keep(value, mask)); }

struct ScreenGradient {
    Float x, y, a, b, c;  // with respect to the screen mean and to the covariance, b counted once
};

ScreenGradient screen_gradient(const Projection& p, const SummedGroup& sums, int i) {
    const Float t = load(sums.sum[1] + i), y = load(sums.sum[2] + i), tt = load(sums.sum[3] + i);
    const Float ty = load(sums.sum[4] + i), yy = load(sums.sum[5] + i);
    const Float across = 1.0f / p.spread, along = 1.0f / p.c;
    ScreenGradient g;
    g.x = across * t;
    g.y = along * y - p.slope * g.x;
    g.a = 0.5f * across * across * tt;
    g.b = along * (across * ty) - 2.0f * p.slope * g.a;
    g.c = p.slope * p.slope * g.a - p.slope * along * (across * ty) + 0.5f * along * along * yy;
    return g;
}

// Gradients of the Gaussian's shape; returns that with respect to P in gp.
void shape_gradient(const Projection& p, const Rotation& rotation, const Group& group, const ScreenGradient& g, Int met,
                    int i, GroupGradient& out, Float (*gp)[3]) {
    for (int k = 0; k < 3; ++k) gp[0][k] = gp[1][k] = Float{};
    for (int j = 0; j < 3; ++j) {
        const Float scale = load(group.scale[j] + i);
        const Float gu = 2.0f * g.a * p.u[j] + g.b * p.v[j], gv = 2.0f * g.c * p.v[j] + g.b * p.u[j];
        add_to(out.scale[j] + i, gu * p.pr[0][j] + gv * p.pr[1][j], met);
        for (int k = 0; k < 3; ++k) {
            add_to(out.rotation[3 * k + j] + i, scale * (gu * p.p[0][k] + gv * p.p[1][k]), met);
            gp[0][k] += scale * gu * rotation.matrix[k][j];
            gp[1][k] += scale * gv * rotation.matrix[k][j];
        }
    }
}

// The Jacobian is ((fx / z, 0, -fx X / z), (0, fy / z, -fy Y / z)) with X = x / z clamped, constant where the clamp
// acts.
void mean_gradient(const Camera& camera, const Projection& p, const ScreenGradient& g, const Float (*gp)[3],
                   Float depth, Int met, int i, GroupGradient& out) {
    const Float jx = camera.focal_x * p.inverse_z, jy = camera.focal_y * p.inverse_z;
    const Float first_x = dot(gp[0], camera.rotation[0]), third_x = dot(gp[0], camera.rotation[2]);
    const Float first_y = dot(gp[1], camera.rotation[1]), third_y = dot(gp[1], camera.rotation[2]);
    const Float ratio_x = -jx * third_x, ratio_y = -jy * third_y;  // with respect to X and Y
    const Float gx = jx * g.x + p.inverse_z * keep(ratio_x, p.inside_x);
    const Float gy = jy * g.y + p.inverse_z * keep(ratio_y, p.inside_y);
    const Float scale_x = jx * (first_x - p.ratio_x * third_x), scale_y = jy * (first_y - p.ratio_y * third_y);
    const Float gz = depth - p.inverse_z * (p.x * gx + p.y * gy + scale_x + scale_y);
    for (int k = 0; k < 3; ++k)
        add_to(out.mean[k] + i, gx * camera.rotation[0][k] + gy * camera.rotation[1][k] + gz * camera.rotation[2][k],
               met);
}

void add_lanes(const Camera& camera, const Group& group, const SummedGroup& sums, int i, float (*screen)[kGroup],
               GroupGradient& out) {
    Int met;
    std::memcpy(&met, sums.met + i, sizeof met);
    if (!any(met)) return;
    const Rotation rotation = rotation_of(group, i);
    const Projection p = project(camera, rotation, group, i);
    const ScreenGradient g = screen_gradient(p, sums, i);
    Float gp[2][3];
    shape_gradient(p, rotation, group, g, met, i, out, gp);
    mean_gradient(camera, p, g, gp, load(sums.sum[9] + i), met, i, out);
    add_to(out.opacity[0] + i, load(sums.sum[0] + i) / load(group.opacity + i), met);
    for (int k = 0; k < 3; ++k) add_to(out.color[k] + i, load(sums.sum[6 + k] + i), met);
    store(screen[0] + i, keep(g.x, met)), store(screen[1] + i, keep(g.y, met));
}

// From the gradient with respect to the rotation matrix to that of the quaternion as it was given, not normalised.
void quaternion_gradient(const Group& group, const GroupGradient& gradient, int i, float (*out)[kGroup]) {
    Float g[9];
    for (int k = 0; k < 9; ++k) g[k] = load(gradient.rotation[k] + i);
    const Rotation q = rotation_of(group, i);
    const Float skew[3] = {g[7] - g[5], g[2] - g[6], g[3] - g[1]}, xy = g[1] + g[3], xz = g[2] + g[6], yz = g[5] + g[7];
    const Float w = 2.0f * (q.x * skew[0] + q.y * skew[1] + q.z * skew[2]);
    const Float x = 2.0f * (q.w * skew[0] + q.y * xy + q.z * xz) - 4.0f * q.x * (g[4] + g[8]);
    const Float y = 2.0f * (q.w * skew[1] + q.x * xy + q.z * yz) - 4.0f * q.y * (g[0] + g[8]);
    const Float z = 2.0f * (q.w * skew[2] + q.x * xz + q.y * yz) - 4.0f * q.z * (g[0] + g[4]);
    const Float radial = q.w * w + q.x * x + q.y * y + q.z * z;
    store(out[0] + i, q.inverse_norm * (w - radial * q.w)), store(out[1] + i, q.inverse_norm * (x - radial * q.x));
    store(out[2] + i, q.inverse_norm * (y - radial * q.y)), store(out[3] + i, q.inverse_norm * (z - radial * q.z));
}

void write_group(const Group& group, const GroupGradient& gradient, int64_t first, int count,
                 const SplattingGradients& out) {
    alignas(64) float quaternion[4][kGroup];
    for (int i = 0; i < kGroup; i += kLanes) quaternion_gradient(group, gradient, i, quaternion);
    transpose_back<3>(gradient.mean, count, out.means + 3 * first);
    transpose_back<4>(quaternion, count, out.quaternions + 4 * first);
    transpose_back<3>(gradient.scale, count, out.scales + 3 * first);
    transpose_back<1>(gradient.opacity, count, out.opacities + first);
    transpose_back<3>(gradient.color, count, out.colors + 3 * first);
}

// Stage 2: cameras are added in their order.
void gather_group(const SplattingScene& scene, const Workspace& work, int64_t task, const SplattingGradients& out) {
    const int64_t first = task * kGroup, n = scene.gaussians;
    const int count = static_cast<int>(std::min<int64_t>(kGroup, n - first));
    Group group;
    GroupGradient gradient{};
    SummedGroup sums;
    read_group(scene, first, count, group);
    for (int64_t view = 0; view < scene.views; ++view) {
        alignas(64) float screen[2][kGroup] = {};
        if (add_places(work, view, first, count, sums)) {
            const Camera camera = camera_of(scene, view);
            for (int i = 0; i < count; i += kLanes) add_lanes(camera, group, sums, i, screen, gradient);
        }
        if (out.screen_offset) transpose_back<2>(screen, count, out.screen_offset + 2 * (view * n + first));
    }
    write_group(group, gradient, first, count, out);
}

// ---------------------------------------------------------------------------------------------------------- the passes

// Threads and idle workspaces.
struct Runtime {
    ThreadPool pool;
    std::mutex lock;
    std::vector<std::unique_ptr<Workspace>> idle;
};

Runtime& runtime() { return once_per_process<Runtime>(); }

constexpr size_t kIdleWorkspaces = 4;

void prepare(const SplattingScene& scene, Workspace& work) {
    work.gaussians = scene.gaussians, work.views = scene.views, work.height = scene.height, work.width = scene.width;
    work.tiles_x = (scene.width + kTile - 1) / kTile, work.tiles_y = (scene.height + kTile - 1) / kTile;
    work.tiles = work.tiles_x * work.tiles_y;
    const int64_t groups = (scene.gaussians + kGroup - 1) / kGroup;
    work.chunk_size = std::max<int64_t>(4, (groups + kChunks - 1) / kChunks) * kGroup;
    work.chunks = (scene.gaussians + work.chunk_size - 1) / work.chunk_size;
    if (static_cast<int64_t>(work.chunk.size()) != work.views * work.chunks)
        work.chunk.resize(work.views * work.chunks);
    work.splats.reserve(scene.views * scene.gaussians);
    work.spans.reserve(scene.views * scene.gaussians);
    work.offsets.reserve(work.views * work.chunks * work.tiles);
    work.tile_begin.reserve(work.views * work.tiles + 1);
    if (static_cast<int64_t>(work.scratch.size()) < scene.threads) work.scratch.resize(scene.threads);
}

int forward(Workspace& work, const SplattingScene& scene, const SplattingImages& images, float* radii) {
    ThreadPool& pool = runtime().pool;
    const int threads = static_cast<int>(scene.threads);
    prepare(scene, work);
    const int64_t chunks = work.views * work.chunks;
    pool.run(threads, chunks, [&](int, int64_t task) { project_and_list(scene, work, task, radii); });
    const int64_t pairs = lay_out(work);
    if (pairs < 0) return kTooManyPairs;
    work.covered.reserve(pairs), work.keys.reserve(pairs), work.entries.reserve(pairs), work.places.reserve(pairs);
    pool.run(threads, chunks, [&](int, int64_t task) { deal_out(work, task); });
    pool.run(threads, work.views * work.tiles,
             [&](int worker, int64_t tile) { composite_tile(work, images, tile, work.scratch[worker]); });
    return kDone;
}

int backward(Workspace& work, const SplattingScene& scene, const SplattingImages& images,
             const SplattingImages& gradients, const SplattingGradients& out) {
    ThreadPool& pool = runtime().pool;
    const int threads = static_cast<int>(scene.threads);
    const int64_t pairs = work.tile_begin.data()[work.views * work.tiles];
    work.sums.reserve(static_cast<size_t>(kSums) * pairs);
    pool.run(threads, work.views * work.tiles,
             [&](int, int64_t tile) { accumulate_tile(work, images, gradients, tile); });
    pool.run(threads, (scene.gaussians + kGroup - 1) / kGroup,
             [&](int, int64_t task) { gather_group(scene, work, task, out); });
    return kDone;
}

template <class Pass>
int alone(Workspace& work, const Pass& pass) {
    return guarded([&] {
        std::lock_guard<std::mutex> lock(work.sole);
        return static_cast<int>(pass());
    });
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_splatting_version() { return 1; }

LODESTONE_API int lodestone_splatting_lanes() { return lodestone::kLanes; }

// A workspace carries a forward pass to its backward passes; null when memory is short.
LODESTONE_API void* lodestone_splatting_acquire() {
    using namespace lodestone;
    try {
        Runtime& state = runtime();
        std::lock_guard<std::mutex> lock(state.lock);
        if (state.idle.empty()) return new Workspace;
        Workspace* work = state.idle.back().release();
        state.idle.pop_back();
        return work;
    } catch (...) {
        return nullptr;
    }
}

LODESTONE_API void lodestone_splatting_release(void* workspace) {
    using namespace lodestone;
    std::unique_ptr<Workspace> work(static_cast<Workspace*>(workspace));
    try {
        Runtime& state = runtime();
        std::lock_guard<std::mutex> lock(state.lock);
        if (state.idle.size() < kIdleWorkspaces) state.idle.push_back(std::move(work));
    } catch (...) {
    }
}

LODESTONE_API int lodestone_splatting_forward(void* workspace, const SplattingScene* scene,
                                              const SplattingImages* images, float* radii) {
    using namespace lodestone;
    Workspace& work = *static_cast<Workspace*>(workspace);
    return alone(work, [&] { return forward(work, *scene, *images, radii); });
}

LODESTONE_API int lodestone_splatting_backward(void* workspace, const SplattingScene* scene,
                                               const SplattingImages* images, const SplattingImages* gradients,
                                               const SplattingGradients* out) {
    using namespace lodestone;
    Workspace& work = *static_cast<Workspace*>(workspace);
    return alone(work, [&] { return backward(work, *scene, *images, *gradients, *out); });
}
