// A vector of floats that every GCC and Clang target understands.
//
// Arithmetic is written with the compilers' vector extensions, so that one source gives AVX2, SSE2 and NEON code. The
// few operations that the extensions lack (minimum, square root, a test of a whole mask) are named here once per
// instruction set.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace lodestone {

#if defined(__AVX__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float Float __attribute__((vector_size(4 * kLanes)));
typedef int32_t Int __attribute__((vector_size(4 * kLanes)));  // also the type of a comparison: 0 or -1 in each lane
typedef float Float4 __attribute__((vector_size(16)));

// GCC has __builtin_shufflevector since version 12; before that its own spelling.
#if defined(__clang__) || __GNUC__ >= 12
#define LODESTONE_SHUFFLE4(a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
typedef int32_t Int4 __attribute__((vector_size(16)));
#define LODESTONE_SHUFFLE4(a, b, i, j, k, l) __builtin_shuffle(a, b, (Int4){i, j, k, l})
#endif

inline Float load(const float* from) {
    Float value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline void store(float* to, Float value) { std::memcpy(to, &value, sizeof value); }

inline void store4(float* to, Float4 value) { std::memcpy(to, &value, sizeof value); }

inline Float4 load4(const float* from) {
    Float4 value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline Float broadcast(float value) { return Float{} + value; }

inline Float keep(Float value, Int mask) { return (Float)((Int)value & mask); }  // 0 where the mask is 0

inline Float select(Int mask, Float yes, Float no) { return mask ? yes : no; }

#if defined(__AVX__)
inline Float minimum(Float a, Float b) { return _mm256_min_ps(a, b); }
inline Float maximum(Float a, Float b) { return _mm256_max_ps(a, b); }
inline Float square_root(Float a) { return _mm256_sqrt_ps(a); }
inline bool any(Int mask) { return _mm256_movemask_ps((__m256)mask) != 0; }
#elif defined(__SSE2__)
inline Float minimum(Float a, Float b) { return _mm_min_ps(a, b); }
inline Float maximum(Float a, Float b) { return _mm_max_ps(a, b); }
inline Float square_root(Float a) { return _mm_sqrt_ps(a); }
inline bool any(Int mask) { return _mm_movemask_ps((__m128)mask) != 0; }
#elif defined(__aarch64__)
inline Float minimum(Float a, Float b) { return (Float)vminq_f32((float32x4_t)a, (float32x4_t)b); }
inline Float maximum(Float a, Float b) { return (Float)vmaxq_f32((float32x4_t)a, (float32x4_t)b); }
inline Float square_root(Float a) { return (Float)vsqrtq_f32((float32x4_t)a); }
inline bool any(Int mask) { return vmaxvq_u32((uint32x4_t)mask) != 0; }
#else
inline Float minimum(Float a, Float b) { return select(a < b, a, b); }
inline Float maximum(Float a, Float b) { return select(a > b, a, b); }
inline Float square_root(Float a) {
    for (int lane = 0; lane < kLanes; ++lane) a[lane] = std::sqrt(a[lane]);
    return a;
}
inline bool any(Int mask) {
    int32_t bits = 0;
    for (int lane = 0; lane < kLanes; ++lane) bits |= mask[lane];
    return bits != 0;
}
#endif

// The bitwise or of all lanes.
inline uint32_t combine(Int value) {
    uint64_t words[kLanes / 2];
    std::memcpy(words, &value, sizeof words);
    uint64_t bits = words[0] | words[1];
    for (int word = 2; word < kLanes / 2; ++word) bits |= words[word];
    return static_cast<uint32_t>(bits | (bits >> 32));
}

inline Float4 fold_halves(Float value) {
#if defined(__AVX__)
    return _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
#else
    return value;
#endif
}

// The sums over the lanes of four vectors.
inline Float4 sums_over_lanes(Float a, Float b, Float c, Float d) {
    const Float4 a4 = fold_halves(a), b4 = fold_halves(b), c4 = fold_halves(c), d4 = fold_halves(d);
    const Float4 ab = LODESTONE_SHUFFLE4(a4, b4, 0, 4, 1, 5) + LODESTONE_SHUFFLE4(a4, b4, 2, 6, 3, 7);
    const Float4 cd = LODESTONE_SHUFFLE4(c4, d4, 0, 4, 1, 5) + LODESTONE_SHUFFLE4(c4, d4, 2, 6, 3, 7);
    return LODESTONE_SHUFFLE4(ab, cd, 0, 1, 4, 5) + LODESTONE_SHUFFLE4(ab, cd, 2, 3, 6, 7);
}

// 2^x for -100 < x < 100. Adding 1.5 * 2^23 rounds x to an integer n that is left in the low bits of the sum; a minimax
// polynomial of degree 5 (relative error 8e-8) gives 2^(x - n), and n is added to its exponent.
inline Float exp2(Float x) {
    constexpr float kRounding = 12582912.0f;
    const Float rounded = x + kRounding;
    const Float f = x - (rounded - kRounding);
    Float p = broadcast(0.00132764725f);
    p = p * f + 0.00967554190f;
    p = p * f + 0.0555071317f;
    p = p * f + 0.240221201f;
    p = p * f + 0.693146970f;
    p = p * f + 1.00000007f;
    return (Float)((Int)p + ((Int)rounded << 23));
}

// ln x for positive normal x: x = 2^n m with m in [sqrt(1/2), sqrt(2)), ln m = 2 atanh((m - 1) / (m + 1)).
inline Float natural_logarithm(Float x) {
    constexpr int32_t kSquareRootOfHalf = 0x3f3504f3;
    const Int shifted = (Int)x - kSquareRootOfHalf;
    const Int n = shifted >> 23;
    const Float m = (Float)((Int)x - (n << 23));
    const Float s = (m - 1.0f) / (m + 1.0f);
    const Float s2 = s * s;
    Float series = s2 * (2.0f / 9.0f) + 2.0f / 7.0f;
    series = series * s2 + 2.0f / 5.0f;
    series = series * s2 + 2.0f / 3.0f;
    series = series * s2 + 2.0f;
    return __builtin_convertvector(n, Float) * 0.693147181f + series * s;
}

}  // namespace lodestone
