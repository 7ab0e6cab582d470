// Token embedding: the rows of `table`, [vocabulary, hidden], that `input_ids`, [n_rows], name.
// A warp a row.
template <typename T>
__device__ void embedding(const T* table, const int* input_ids, T* y, int n_rows, int n_packs) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  if (row >= n_rows) return;
  const Pack<T>* source = reinterpret_cast<const Pack<T>*>(table) + (long long)input_ids[row] * n_packs;
  Pack<T>* target = reinterpret_cast<Pack<T>*>(y) + (long long)row * n_packs;
  for (int i = threadIdx.x % WARP; i < n_packs; i += WARP) target[i] = source[i];
}

#define EMBEDDING(NAME, T)                                                                               \
  extern "C" __global__ void embedding_##NAME(const T* table, const int* input_ids, T* y, int n_rows,   \
                                              int n_packs) {                                            \
    embedding<T>(table, input_ids, y, n_rows, n_packs);                                                 \
  }
EMBEDDING(f32, float)
EMBEDDING(f16, __half)
EMBEDDING(bf16, __nv_bfloat16)
