// What the kernels of contacts share.

// Residues of a sequence, which stands between BOS and EOS.
__device__ __forceinline__ int residues(const int* cu_seqlens, int sequence) {
  return cu_seqlens[sequence + 1] - cu_seqlens[sequence] - 2;
}

// The sum of a number of each thread, which every thread gets. THREADS is a power of two.
template <typename T, int THREADS> __device__ __forceinline__ T block_sum(T value) {
  __shared__ T values[THREADS];
  values[threadIdx.x] = value;
  for (int half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) values[threadIdx.x] += values[threadIdx.x + half];
  }
  __syncthreads();
  T sum = values[0];
  __syncthreads();
  return sum;
}

// Numbers in the maps before that of a sequence.
template <int THREADS> __device__ __forceinline__ long long map_start(const int* cu_seqlens, int sequence) {
  long long numbers = 0;
  for (int other = threadIdx.x; other < sequence; other += THREADS) {
    long long n = residues(cu_seqlens, other);
    numbers += n * n;
  }
  return block_sum<long long, THREADS>(numbers);
}
