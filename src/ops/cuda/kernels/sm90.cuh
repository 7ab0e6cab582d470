// What kernels for Hopper share: barriers in shared memory, and words that the lanes of a quad exchange.
#include <cuda_bf16.h>
#include <cuda_fp16.h>

typedef unsigned int u32;
#define DEVICE __device__ __forceinline__
#define UNROLL _Pragma("unroll")

DEVICE void barrier_init(u32 barrier, int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrivals) : "memory");
}
DEVICE void barrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
DEVICE void barrier_wait(u32 barrier, u32 parity) {
    u32 done = 0;
    while (!done)
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                     "selp.u32 %0, 1, 0, p;\n}" : "=r"(done) : "r"(barrier), "r"(parity) : "memory");
}
DEVICE void products_begin() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
// Transposes a 4 x 4 matrix of words, of which each of four neighbouring lanes holds a row.
DEVICE void transpose_quad(u32* v) {
    UNROLL for (int step = 2; step > 0; step >>= 1) {
        bool upper = threadIdx.x & step;
        UNROLL for (int i = 0; i < 2; i++) {
            int a = step == 2 ? i : 2 * i, b = a + step;
            u32 got = __shfl_xor_sync(~0u, upper ? v[a] : v[b], step);
            if (upper) v[a] = got; else v[b] = got;
        }
    }
}
