// Transmittance compositing of packed samples on the CPU, forward and backward.
//
// Sample i of a ray has optical depth tau_i = density_i width_i and weight w_i = T_i (1 - exp(-tau_i)), where the
// transmittance T_i = exp(-sum_{j<i} tau_j). With q_i = <gradient of the ray's sums, value_i> + ... the derivative of a
// loss with respect to w_i,
//     dL/dtau_i = q_i T_{i+1} - sum_{j>i} q_j w_j,
// a walk along the ray to find the transmittances and one back to find the sums. A ray belongs to one task.

#include <algorithm>
#include <cmath>

#include "parallel.hpp"

// The C interface. Arrays are contiguous and row-major; the samples of ray r are offsets[r] .. offsets[r + 1] - 1.
struct Compositing {
    int64_t rays, channels, threads;
    const int64_t* offsets;                             // r + 1
    const float *density, *width, *distance, *values;  // s, s, s, s c
};

struct Composed {
    float *weights, *values, *opacity, *distance;  // s, r c, r, r; as gradients each may be null
};

namespace lodestone {
namespace {

constexpr int64_t kRays = 64;  // rays in a task

void compose_ray(const Compositing& in, const Composed& out, int64_t ray) {
    const int64_t channels = in.channels;
    float* sums = out.values + ray * channels;
    std::fill(sums, sums + channels, 0.0f);
    float depth = 0.0f, optical = 0.0f, transmittance = 1.0f;
    for (int64_t i = in.offsets[ray]; i < in.offsets[ray + 1]; ++i) {
        const float tau = in.density[i] * in.width[i];
        const float weight = -transmittance * std::expm1(-tau);
        optical += tau;
        transmittance = std::exp(-optical);
        out.weights[i] = weight;
        depth += weight * in.distance[i];
        for (int64_t c = 0; c < channels; ++c) sums[c] += weight * in.values[i * channels + c];
    }
    out.opacity[ray] = -std::expm1(-optical);
    out.distance[ray] = depth;
}

void differentiate_ray(const Compositing& in, const float* weights, const Composed& gradient, int64_t ray,
                       float* density_gradient, float* values_gradient) {
    const int64_t channels = in.channels, first = in.offsets[ray], last = in.offsets[ray + 1];
    const float* sums = gradient.values ? gradient.values + ray * channels : nullptr;
    const float of_opacity = gradient.opacity ? gradient.opacity[ray] : 0.0f;
    const float of_distance = gradient.distance ? gradient.distance[ray] : 0.0f;
    float optical = 0.0f;
    for (int64_t i = first; i < last; ++i) {
        optical += in.density[i] * in.width[i];
        density_gradient[i] = std::exp(-optical);  // the transmittance behind the sample, for the walk back
    }
    float behind = 0.0f;
    for (int64_t i = last - 1; i >= first; --i) {
        float q = of_opacity + of_distance * in.distance[i] + (gradient.weights ? gradient.weights[i] : 0.0f);
        for (int64_t c = 0; sums && c < channels; ++c) q += sums[c] * in.values[i * channels + c];
        density_gradient[i] = in.width[i] * (q * density_gradient[i] - behind);
        behind += q * weights[i];
        if (!values_gradient) continue;
        for (int64_t c = 0; c < channels; ++c) values_gradient[i * channels + c] = sums ? weights[i] * sums[c] : 0.0f;
    }
}

template <class PerRay>
int over_rays(const Compositing& in, PerRay&& per_ray) {
    return run_parallel(in.threads, (in.rays + kRays - 1) / kRays, [&](int, int64_t task) {
        for (int64_t ray = task * kRays; ray < std::min(in.rays, (task + 1) * kRays); ++ray) per_ray(ray);
    });
}

}  // namespace
}  // namespace lodestone

// Raised whenever a struct or a signature below changes.
LODESTONE_API int lodestone_compositing_version() { return 1; }

LODESTONE_API int lodestone_compositing_forward(const Compositing* in, const Composed* out) {
    using namespace lodestone;
    return over_rays(*in, [&](int64_t ray) { compose_ray(*in, *out, ray); });
}

// The gradient of the values may be null.
LODESTONE_API int lodestone_compositing_backward(const Compositing* in, const float* weights, const Composed* gradient,
                                                 float* density_gradient, float* values_gradient) {
    using namespace lodestone;
    return over_rays(*in, [&](int64_t ray) {
        differentiate_ray(*in, weights, *gradient, ray, density_gradient, values_gradient);
    });
}
