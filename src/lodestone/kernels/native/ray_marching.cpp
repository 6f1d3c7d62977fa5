// Equidistant samples on rays through a cube, of which those in occupied cells are kept.
//
// Two passes: the first marks the samples that stay in a bit mask and counts them, the second writes them where the
// counts say. A position is computed once, here, and everything after takes it as it is.

#include <algorithm>
#include <cmath>
#include <limits>

#include "parallel.hpp"

// The C interface. Arrays are contiguous and row-major. The cube is [-bound, bound]^3.
struct Marching {
    int64_t rays, resolution, words, threads;   // words: 64 samples of a ray each
    const float *origins, *directions, *shift;  // r 3, r 3, r
    const uint8_t* occupied;                    // resolution^3, x slowest
    float bound, step;
};

namespace lodestone {
namespace {

constexpr int64_t kRays = 64;  // rays in a task

struct Span {
    float near, far;
};

// Where a ray is inside the cube and in front of its origin.
Span span_of(const Marching& in, int64_t ray) {
    Span span{0.0f, std::numeric_limits<float>::infinity()};
    for (int axis = 0; axis < 3; ++axis) {
        const float origin = in.origins[3 * ray + axis], direction = in.directions[3 * ray + axis];
        if (direction == 0.0f) {
            if (std::fabs(origin) > in.bound) return {0.0f, 0.0f};
            continue;
        }
        const float a = (-in.bound - origin) / direction, b = (in.bound - origin) / direction;
        span.near = std::max(span.near, std::min(a, b));
        span.far = std::min(span.far, std::max(a, b));
    }
    return span;
}

inline float distance_of(const Marching& in, const Span& span, int64_t ray, int64_t sample) {
    return span.near + (static_cast<float>(sample) + in.shift[ray]) * in.step;
}

int64_t mark_ray(const Marching& in, int64_t ray, uint64_t* mask) {
    std::fill(mask, mask + in.words, uint64_t{0});
    const Span span = span_of(in, ray);
    const float *origin = in.origins + 3 * ray, *direction = in.directions + 3 * ray;
    const float cells = static_cast<float>(in.resolution), scale = 0.5f * cells / in.bound;
    const int64_t last = in.resolution - 1;
    const auto cell = [&](float x) {
        return std::clamp<int64_t>(static_cast<int64_t>(x * scale + 0.5f * cells), 0, last);
    };
    int64_t count = 0;
    for (int64_t sample = 0; sample < 64 * in.words; ++sample) {
        const float t = distance_of(in, span, ray, sample);
        if (!(t < span.far)) break;
        const int64_t x = cell(origin[0] + t * direction[0]), y = cell(origin[1] + t * direction[1]);
        const int64_t z = cell(origin[2] + t * direction[2]);
        const uint64_t kept = in.occupied[(x * in.resolution + y) * in.resolution + z] != 0;
        mask[sample / 64] |= kept << (sample % 64);
        count += static_cast<int64_t>(kept);
    }
    return count;
}

void write_ray(const Marching& in, int64_t ray, const uint64_t* mask, int64_t to, int64_t* rays, float* distances,
               float* positions) {
    const Span span = span_of(in, ray);
    const float *origin = in.origins + 3 * ray, *direction = in.directions + 3 * ray;
    for (int64_t word = 0; word < in.words; ++word)
        for (uint64_t bits = mask[word]; bits; bits &= bits - 1, ++to) {
            const float t = distance_of(in, span, ray, 64 * word + __builtin_ctzll(bits));
            rays[to] = ray;
            distances[to] = t;
            for (int axis = 0; axis < 3; ++axis) positions[3 * to + axis] = origin[axis] + t * direction[axis];
        }
}

template <class PerRay>
int over_rays(const Marching& in, PerRay&& per_ray) {
    return run_parallel(in.threads, (in.rays + kRays - 1) / kRays, [&](int, int64_t task) {
        for (int64_t ray = task * kRays; ray < std::min(in.rays, (task + 1) * kRays); ++ray) per_ray(ray);
    });
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_ray_marching_version() { return 1; }

// The mask is r words, the counts are r.
LODESTONE_API int lodestone_ray_marching_mark(const Marching* in, uint64_t* mask, int64_t* counts) {
    using namespace lodestone;
    return over_rays(*in, [&](int64_t ray) { counts[ray] = mark_ray(*in, ray, mask + ray * in->words); });
}

// The samples of ray r go to offsets[r] .. offsets[r + 1] - 1.
LODESTONE_API int lodestone_ray_marching_write(const Marching* in, const uint64_t* mask, const int64_t* offsets,
                                               int64_t* rays, float* distances, float* positions) {
    using namespace lodestone;
    return over_rays(*in, [&](int64_t ray) {
        write_ray(*in, ray, mask + ray * in->words, offsets[ray], rays, distances, positions);
    });
}
