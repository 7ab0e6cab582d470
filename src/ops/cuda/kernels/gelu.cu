// The erf form of GELU, in place on `x`, [n_rows, columns]; a block a row. The tanh form is an epilogue of
// cuBLASLt and needs no kernel.
template <typename T> __device__ void gelu(T* x, int n_packs) {
  Pack<T>* row = reinterpret_cast<Pack<T>*>(x) + (long long)blockIdx.x * n_packs;
  for (int i = threadIdx.x; i < n_packs; i += blockDim.x) {
    Pack<T> pack = row[i];
#pragma unroll
    for (int k = 0; k < Pack<T>::SIZE; k++) {
      float value = to_float(pack.at[k]);
      pack.at[k] = from_float<T>(0.5f * value * (1.0f + erff(value * 0.70710678118654752f)));
    }
    row[i] = pack;
  }
}

#define GELU(NAME, T)                                                                                    \
  extern "C" __global__ void gelu_##NAME(T* x, int n_packs) { gelu<T>(x, n_packs); }
GELU(f32, float)
GELU(f16, __half)
GELU(bf16, __nv_bfloat16)
