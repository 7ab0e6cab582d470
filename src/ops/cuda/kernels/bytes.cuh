// How numbers become bytes, behind `common.cuh`. `ops/quantised/rounding.rs` says the same in Rust.

// As many bytes as a pack has numbers.
template <typename T> struct alignas(Pack<T>::SIZE) Bytes {
  unsigned at[Pack<T>::SIZE / 4];
};

// The bits of an absolute value: they rise with it, and those of NaN are greater than those of infinity.
__device__ __forceinline__ unsigned magnitude(float x) { return __float_as_uint(x) & 0x7fffffffu; }

__device__ __forceinline__ float warp_greatest(unsigned magnitude) {
  return __uint_as_float(__reduce_max_sync(~0u, magnitude));
}

// By what numbers are multiplied of which the greatest is this. NaN, too, is not greater.
__device__ __forceinline__ float steps(float greatest) { return greatest > 1e-30f ? 127.0f / greatest : 0.0f; }

// 1.5 * 2^23: behind a sum with it f32 has no bits for fractions, and the low bits are those of the other number,
// rounded to a whole one.
constexpr float WHOLE = 12582912.0f;

// The whole number that is nearest to x * factor, in two's complement in the low byte.
__device__ __forceinline__ unsigned nearest(float x, float factor) {
  return __float_as_uint(__fmaf_rn(x, factor, WHOLE));
}

// The low bytes of four words.
__device__ __forceinline__ unsigned low_bytes(unsigned a, unsigned b, unsigned c, unsigned d) {
  return __byte_perm(__byte_perm(a, b, 0x0040), __byte_perm(c, d, 0x0040), 0x5410);
}
