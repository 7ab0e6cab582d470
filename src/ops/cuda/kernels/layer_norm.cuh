// What layer norms share, behind `common.cuh`: a row that a warp keeps in registers, so that it is read once, and its statistics in f32,
// the mean first, then the variance around it.
// From Rust: NUMBER, and PACKS, the number of 16-byte packs that a lane holds at most.

struct Row {
  static constexpr int SIZE = Pack<NUMBER>::SIZE;
  Pack<NUMBER> held[PACKS];
  float mean, scale;

  // All lanes of the warp read row `row`.
  __device__ __forceinline__ Row(const NUMBER* x, int row, int n_packs, float epsilon) {
    const Pack<NUMBER>* source = reinterpret_cast<const Pack<NUMBER>*>(x) + (long long)row * n_packs;
    int lane = threadIdx.x % WARP;
    float n = float(n_packs * SIZE), sum = 0, squares = 0;
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
      if (p * WARP + lane < n_packs) {
        held[p] = source[p * WARP + lane];
#pragma unroll
        for (int i = 0; i < SIZE; i++) sum += to_float(held[p].at[i]);
      }
    }
    mean = warp_sum(sum) / n;
#pragma unroll
    for (int p = 0; p < PACKS; p++) {
      if (p * WARP + lane < n_packs) {
#pragma unroll
        for (int i = 0; i < SIZE; i++) {
          float centred = to_float(held[p].at[i]) - mean;
          squares += centred * centred;
        }
      }
    }
    float variance = warp_sum(squares) / n;
    // A variance that overflows would make every component 0. This is false for infinity and for NaN.
    bool finite = variance <= 3.402823466e38f;
    scale = finite ? 1.0f / sqrtf(variance + epsilon) : __int_as_float(0x7fffffff);
  }

  // Four numbers of a pack, from `i` on, normalised.
  __device__ __forceinline__ float4 normal(int p, int i, const float* weight, const float* bias) const {
    int column = (p * WARP + threadIdx.x % WARP) * SIZE + i;
    float4 w = *reinterpret_cast<const float4*>(weight + column), b = *reinterpret_cast<const float4*>(bias + column);
    const NUMBER* x = held[p].at + i;
    return make_float4((to_float(x[0]) - mean) * scale * w.x + b.x, (to_float(x[1]) - mean) * scale * w.y + b.y,
                       (to_float(x[2]) - mean) * scale * w.z + b.z, (to_float(x[3]) - mean) * scale * w.w + b.w);
  }
};
