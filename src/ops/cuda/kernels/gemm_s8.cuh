// What products of 8-bit numbers for Hopper (sm_90a) are built of: tiles that come through TMA, wgmma on them, the
// share of the work that a cluster has, and what follows a product.
// From Rust: THEN, what follows; ROWS_SIGNED, whether bytes of x have a sign; STEP_K, the bytes of a row in a tile;
// STRIP, the columns of y that a cluster has; THREADS of a block.
#include "sm90.cuh"

typedef unsigned char u8;
typedef unsigned long long u64;
enum Then { NOTHING, RESIDUAL, GELU, GELU_BYTES };
static_assert(STEP_K == 128 && STRIP == 256 && THREADS == 3 * 128, "what wgmma and the swizzle are laid out for");

// As cuTensorMapEncodeTiled makes it: tiles of rows of STEP_K bytes, swizzled by 128 bytes, zeros outside.
struct alignas(64) TensorMap { u64 words[16]; };

// ---- PTX ----
DEVICE u32 cluster_rank() {
    u32 rank;
    asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}
DEVICE void cluster_sync() {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// Makes barriers known to the cluster's other block and to TMA.
DEVICE void barriers_are_made() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
// The same place in another block of the cluster.
DEVICE u32 place_in(u32 block, u32 address) {
    u32 there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address), "r"(block));
    return there;
}
// Without release.cluster, which is a fence for all of memory: what was read came through wgmma, which is done.
DEVICE void barrier_arrive_in(u32 block, u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(place_in(block, barrier)) : "memory");
}
DEVICE void barrier_expect(u32 barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
// Also sees what another block of the cluster has stored.
DEVICE void barrier_wait_cluster(u32 barrier, u32 parity) {
    u32 done = 0;
    while (!done)
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2;\n"
                     "selp.u32 %0, 1, 0, p;\n}" : "=r"(done) : "r"(barrier), "r"(parity) : "memory");
}
// Stores a word in another block of the cluster; its barrier there counts the bytes.
DEVICE void store_in(u32 block, u32 address, float v, u32 barrier) {
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%0], %1, [%2];"
                 ::"r"(place_in(block, address)), "r"(__float_as_uint(v)), "r"(place_in(block, barrier)) : "memory");
}
// Loads a tile from column k and row `row` on; `barrier` counts the bytes.
DEVICE void load_tile(u32 to, const TensorMap* map, u32 barrier, int k, int row) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], "
                 "[%1, {%3, %4}], [%2];" ::"r"(to), "l"(map), "r"(barrier), "r"(k), "r"(row) : "memory");
}
// The same to the same place in both blocks of the cluster, and for the barriers of both.
DEVICE void load_tile_in_both(u32 to, const TensorMap* map, u32 barrier, int k, int row) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
                 ".multicast::cluster [%0], [%1, {%3, %4}], [%2], %5;"
                 ::"r"(to), "l"(map), "r"(barrier), "r"(k), "r"(row), "h"((unsigned short)3) : "memory");
}
// Copies whole packs of 16 bytes.
DEVICE void load_bytes(u32 to, const void* from, u32 bytes, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];"
                 ::"r"(to), "l"(from), "r"(bytes), "r"(barrier) : "memory");
}
DEVICE float load_float(u32 at) {
    float v;
    asm volatile("ld.shared.f32 %0, [%1];" : "=f"(v) : "r"(at) : "memory");
    return v;
}
DEVICE float2 load_pair(u32 at) {
    float2 v;
    asm volatile("ld.shared.v2.f32 {%0, %1}, [%2];" : "=f"(v.x), "=f"(v.y) : "r"(at));
    return v;
}
DEVICE void prefetch(const void* from) { asm volatile("prefetch.global.L2 [%0];" ::"l"(from)); }
// Barriers of a block's warps. Whoever syncs waits until `n_threads` have synced or arrived.
DEVICE void warps_sync(int id, int n_threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(n_threads) : "memory");
}
DEVICE void warps_arrive(int id, int n_threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(n_threads) : "memory");
}
template <int N> DEVICE void set_registers_down() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N)); }
template <int N> DEVICE void set_registers_up() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N)); }

// ---- wgmma ----
// The descriptor of rows of 128 bytes, K-major, swizzled. 32 of k further are 2 more, 64 rows further 512.
DEVICE u64 descriptor(u32 address) { return (u64)((address & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62; }
constexpr int NEXT_K = 2, NEXT_ROWS = 512;
DEVICE void products_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
// Waits until at most N committed groups are on their way.
template <int N> DEVICE void products_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory"); }
// Keeps the compiler from reading accumulators before here.
template <int N> DEVICE void accumulated(int (&d)[N]) {
    UNROLL for (int i = 0; i < N; i++) asm volatile("" : "+r"(d[i])::"memory");
}
#define S4(i) "+r"(d[i]), "+r"(d[i + 1]), "+r"(d[i + 2]), "+r"(d[i + 3])
#define S16(i) S4(i), S4(i + 4), S4(i + 8), S4(i + 12)
#define S64(i) S16(i), S16(i + 16), S16(i + 32), S16(i + 48)
#define REGS_64                                                                                                \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, "     \
    "%22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, "     \
    "%42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, "     \
    "%62, %63"
#define REGS_128                                                                                               \
    REGS_64 ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, "     \
    "%82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, "   \
    "%102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, %113, %114, %115, %116, %117, %118, "   \
    "%119, %120, %121, %122, %123, %124, %125, %126, %127"
#define PRODUCT(N, TYPE, REGS, A, B, MORE, ...)                                                                \
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, " MORE ", 0;\n"                                             \
                 "wgmma.mma_async.sync.aligned.m64n" #N "k32.s32." TYPE ".s8 {" REGS "}, " A ", " B ", p;\n}"  \
                 : __VA_ARGS__ : "l"(a), "l"(b), "r"(more))
// d[64, 128 or 256] = (more ? d : 0) + a b^T over 32 of k, by a warpgroup. A thread has 4 numbers of each 8 columns:
// columns lane % 4 * 2 and the next of row lane / 4 of its warp's 16, then those of the row 8 further down.
DEVICE void multiply(int (&d)[64], u64 a, u64 b, int more) {
    if constexpr (ROWS_SIGNED) PRODUCT(128, "s8", REGS_64, "%64", "%65", "%66", S64(0));
    else PRODUCT(128, "u8", REGS_64, "%64", "%65", "%66", S64(0));
}
DEVICE void multiply(int (&d)[128], u64 a, u64 b, int more) {
    if constexpr (ROWS_SIGNED) PRODUCT(256, "s8", REGS_128, "%128", "%129", "%130", S64(0), S64(64));
    else PRODUCT(256, "u8", REGS_128, "%128", "%129", "%130", S64(0), S64(64));
}

// ---- work ----
// Which tiles a cluster computes: units of rows within strips of columns. Most clusters have a run of units of one
// strip, so that those that work at once read the same rows; the others share what is left over.
struct Work {
    int begin, end;  // units
    int per_strip, first;
    DEVICE Work(int cluster, int n_clusters, int n_strips, int n_units) {
        int runs = n_clusters / n_strips;  // of a strip
        int length = (n_strips * n_units + n_clusters - 1) / n_clusters;
        int rest = max(0, n_units - runs * length);
        if (cluster < runs * n_strips) {
            int run = cluster / n_strips, strip = cluster % n_strips;
            per_strip = length, first = run * length;
            begin = strip * length, end = begin + max(0, min(length, n_units - first));
        } else {
            int takers = n_clusters - runs * n_strips, each = (rest * n_strips + takers - 1) / takers;
            per_strip = max(1, rest), first = runs * length;
            begin = min(rest * n_strips, (cluster - runs * n_strips) * each);
            end = min(rest * n_strips, begin + each);
        }
    }
    DEVICE int strip(int unit) const { return unit / per_strip; }
    DEVICE int row(int unit) const { return first + unit % per_strip; }  // in units
};

// ---- what follows a product ----
struct Output {
    const __nv_bfloat16* residual;  // [t, n]
    void* y;                        // [t, n], in bf16 or bytes
    float* scales;                  // [t, n / STRIP], of bytes
    int t, n;
};
// What a channel's sums are multiplied with, and its bias, of two channels.
struct Channels { float2 scale, bias; };

DEVICE u32 bits(__half2 v) { return *reinterpret_cast<u32*>(&v); }
DEVICE __half2 halves(u32 v) { return *reinterpret_cast<__half2*>(&v); }
DEVICE u32 pack(float x, float y) {
    __nv_bfloat162 v = __floats2bfloat162_rn(x, y);
    return *reinterpret_cast<u32*>(&v);
}
DEVICE float2 unpack(u32 v) { return make_float2(__uint_as_float(v << 16), __uint_as_float(v & 0xffff0000u)); }
// The erf form of GELU, within 1e-6: max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, erfc by Abramowitz and Stegun 7.1.26.
DEVICE float gelu(float x) {
    float t, e, u = fabsf(x);
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(t) : "f"(fmaf(u, 0.231641888f, 1.f)));
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(e) : "f"(x * (x * -0.72134752f)));
    float p = fmaf(fmaf(fmaf(0.5307027145f, t, -0.7265760135f), t, 0.7107068705f), t, -0.142248368f);
    return fmaf(fmaf(p, t, 0.127414796f) * t * e, -u, fmaxf(x, 0.f));
}
// The same of two numbers in f16, for bytes: f16 is finer than their steps. tanh(x (0.80016 + 0.0347 x^2)) stands for
// erf(x / sqrt 2), which makes 2.7e-4 at most, and the instruction another 5e-4 of |x| / 2.
DEVICE __half2 gelu_pair(float x, float y) {
    __half2 v = __floats2half2_rn(x, y), half = __hmul2(v, __float2half2_rn(0.5f));
    __half2 p = __hfma2(__hmul2(v, v), __float2half2_rn(0.034701228f), __float2half2_rn(0.80015598f));
    u32 t;
    asm("tanh.approx.f16x2 %0, %1;" : "=r"(t) : "r"(bits(__hmul2(p, v))));
    return __hfma2(half, halves(t), half);
}
// How a block of a row becomes bytes, by the greatest of its numbers and 0: zero = floor(43.35 / (greatest + 0.17)), at
// least 1, scale = 0.17 / zero, and the byte of h is h / scale + zero, rounded, from 0 to 255. So h is scale * byte -
// 0.17, and h = 0 is exact. The constant, -0.17 times the sum of a channel's weights, is in the bias of the product that
// takes the bytes. Where a number is NaN, the scale is.
struct Steps {
    float zero, greatest;
    __half2 inverse, offset;
    DEVICE Steps(float greatest) : greatest(greatest) {
        zero = floorf(__fdiv_rn(255.f * 0.17f, greatest + 0.17f));
        zero = zero < 1.f ? 1.f : zero;
        inverse = __float2half2_rn(zero * (1.f / 0.17f));
        // From 1,024 to 2,047 the low bits of f16 are a whole number.
        offset = __float2half2_rn(1024.f + zero);
    }
    // NaN, where the greatest number is not finite.
    DEVICE float scale() const { return __fdiv_rn(0.17f, zero) + (greatest - greatest); }
    // Two numbers to bytes 0 and 2.
    DEVICE u32 round(u32 pair) const {
        __half2 v = __hfma2(halves(pair), inverse, offset);
        return bits(__hmin2(__hmax2(v, __float2half2_rn(1024.f)), __float2half2_rn(1279.f)));
    }
};

// Stores what a thread has: PAIRS pairs of columns, each 8 after the one before, from `column` on, of ROWS rows.
// `numbers.channels(j)` are a pair's channels; `numbers(r, j, channels)` are its numbers in row r, with their bias.
template <int ROWS, int PAIRS, typename Numbers> struct Tail {
    Numbers numbers;
    Output to;
    int row, column;  // the first ones, which the quad's lanes share

    // How far below the first one a row is.
    static DEVICE int below(int r) { return r % 2 * 8 + r / 2 * 64; }
    DEVICE bool exists(int r) const { return row + below(r) < to.t; }

    DEVICE void store_full() {
        constexpr int GROUPS = PAIRS / 4, AHEAD = 4 / ROWS;  // a lane stores a quarter of a group's 32 columns
        int quad = threadIdx.x % 4;
        size_t first = (size_t)row * to.n + column + quad * 8;
        const __nv_bfloat16* from = to.residual + first;
        __nv_bfloat16* y = reinterpret_cast<__nv_bfloat16*>(to.y) + first;
        uint4 more[AHEAD][ROWS];
        auto load = [&](int group) {
            UNROLL for (int r = 0; r < ROWS; r++)
                if (exists(r) && column + group * 32 < to.n)
                    more[group % AHEAD][r] =
                        *reinterpret_cast<const uint4*>(from + (size_t)below(r) * to.n + group * 32);
        };
        if constexpr (THEN == RESIDUAL) {
            UNROLL for (int group = 0; group < AHEAD; group++) load(group);
        }
        UNROLL for (int group = 0; group < GROUPS; group++) {
            u32 words[ROWS][4];
            if constexpr (THEN == RESIDUAL) {
                UNROLL for (int r = 0; r < ROWS; r++) {
                    uint4 v = more[group % AHEAD][r];
                    words[r][0] = v.x, words[r][1] = v.y, words[r][2] = v.z, words[r][3] = v.w;
                }
                if (group + AHEAD < GROUPS) load(group + AHEAD);
                UNROLL for (int r = 0; r < ROWS; r++) transpose_quad(words[r]);
            }
            UNROLL for (int i = 0; i < 4; i++) {
                Channels channels = numbers.channels(group * 4 + i);
                UNROLL for (int r = 0; r < ROWS; r++) {
                    float2 v = numbers(r, group * 4 + i, channels);
                    if constexpr (THEN == RESIDUAL) {
                        float2 add = unpack(words[r][i]);
                        v.x += add.x, v.y += add.y;
                    }
                    if constexpr (THEN == GELU) v.x = gelu(v.x), v.y = gelu(v.y);
                    words[r][i] = pack(v.x, v.y);
                }
            }
            UNROLL for (int r = 0; r < ROWS; r++) {
                transpose_quad(words[r]);
                if (exists(r) && column + group * 32 < to.n)
                    *reinterpret_cast<uint4*>(y + (size_t)below(r) * to.n + group * 32) =
                        make_uint4(words[r][0], words[r][1], words[r][2], words[r][3]);
            }
        }
    }

    // `share` makes a thread's greatest number of each row that of the row's whole strip.
    template <typename Share> DEVICE void store_bytes(Share share) {
        constexpr int GROUPS = PAIRS / 8;  // a lane stores a quarter of a group's 64 columns
        int quad = threadIdx.x % 4;
        u32 h[PAIRS][ROWS];
        __half2 top[ROWS];
        UNROLL for (int r = 0; r < ROWS; r++) top[r] = __float2half2_rn(0);
        UNROLL for (int j = 0; j < PAIRS; j++) {
            Channels channels = numbers.channels(j);
            UNROLL for (int r = 0; r < ROWS; r++) {
                float2 v = numbers(r, j, channels);
                __half2 pair = gelu_pair(v.x, v.y);
                top[r] = __hmax2_nan(top[r], pair);
                h[j][r] = bits(pair);
            }
        }
        float greatest[ROWS];
        UNROLL for (int r = 0; r < ROWS; r += 2) {  // two rows in a word
            __half2 v = __hmax2_nan(__lows2half2(top[r], top[r + 1]), __highs2half2(top[r], top[r + 1]));
            v = __hmax2_nan(v, halves(__shfl_xor_sync(~0u, bits(v), 1)));
            v = __hmax2_nan(v, halves(__shfl_xor_sync(~0u, bits(v), 2)));
            greatest[r] = __low2float(v), greatest[r + 1] = __high2float(v);
        }
        share(greatest);
        u8* y = reinterpret_cast<u8*>(to.y) + (size_t)row * to.n + column + quad * 16;
        UNROLL for (int r = 0; r < ROWS; r++) {
            Steps steps(greatest[r]);
            if (exists(r) && quad == 0 && column % STRIP == 0)
                to.scales[(size_t)(row + below(r)) * (to.n / STRIP) + column / STRIP] = steps.scale();
            UNROLL for (int group = 0; group < GROUPS; group++) {
                u32 words[4];  // two pairs each
                UNROLL for (int i = 0; i < 4; i++) {
                    int j = group * 8 + i * 2;
                    words[i] = __byte_perm(steps.round(h[j][r]), steps.round(h[j + 1][r]), 0x6420);
                }
                transpose_quad(words);
                if (exists(r))
                    *reinterpret_cast<uint4*>(y + (size_t)below(r) * to.n + group * 64) = make_uint4(
                        __byte_perm(words[0], words[1], 0x5410), __byte_perm(words[2], words[3], 0x5410),
                        __byte_perm(words[0], words[1], 0x7632), __byte_perm(words[2], words[3], 0x7632));
            }
        }
    }
};
