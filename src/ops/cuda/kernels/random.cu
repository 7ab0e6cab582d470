// Numbers that look random, from -scale to scale, for measuring products: their power draw, and with it
// the clock of the GPU, depends on the numbers. From Rust: NUMBER.
#include "common.cuh"

extern "C" __global__ void random(NUMBER* x, int n, float scale) {
  for (long long i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    unsigned int hash = (unsigned int)i * 2654435761u + 12345u;
    hash = (hash ^ (hash >> 16)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13)) * 0xc2b2ae35u;
    x[i] = from_float<NUMBER>(scale * (float(hash >> 8) * (1.0f / (1 << 23)) - 1.0f));
  }
}
