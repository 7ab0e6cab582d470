//! Products of bytes on Hopper: two kernels of our own, with what follows a product fused in.
//!
//! One keeps a strip of weights in shared memory; the other brings weights again for each tile, for all shapes that the
//! first has no room for. The bits of a row depend on neither the number of rows nor its place among them.

use super::{
    super::{
        Epilogue,
        quantised::{BLOCK, Code},
    },
    Operand, Shape,
    code::{Instance, KernelFile},
    int,
    kernel::{Argument, Grid, Kernel},
    quantised::{QuantisedRows, QuantisedWeights},
    tensor_map::TensorMap,
};
use crate::{
    device::{DeviceError, cuda::enqueue},
    job::{Dtype, Products},
};

static RESIDENT: KernelFile = KernelFile {
    kernel: "gemm_s8_resident",
    text: include_str!("kernels/gemm_s8_resident.cu"),
};

static STREAMED: KernelFile = KernelFile {
    kernel: "gemm_s8_streamed",
    text: include_str!("kernels/gemm_s8_streamed.cu"),
};

/// Bytes of a row in a tile: 128 of k.
const STEP_K: usize = 128;
/// Columns of y that two blocks, a cluster, compute.
const STRIP: usize = 256;
/// Rows of a tile of x.
const TILE: usize = 128;
/// Threads of a block: three groups of four warps.
const THREADS: usize = 3 * 128;
/// Tiles in shared memory, beside resident weights.
const STAGES: usize = 4;
/// Bytes of a barrier.
const BARRIER: usize = 8;
/// How many inputs resident weights have.
const RESIDENT_INPUTS: usize = 1280;

/// Where the result of a product goes.
pub(super) enum Out<'a> {
    /// `[T, out]` in bf16, after the epilogue. Both forms of GELU are the erf form.
    Full(&'a Operand, Epilogue<'a>),
    /// `[T, out]`, GELU of it in the erf form, as bytes in [`Code::Gelu`]. It is computed in f16 and its bytes are at
    /// most 0.8 of a step away from it, not half of one. Products beyond 65,504 are infinite there, and their block of
    /// columns is NaN.
    Gelu(&'a QuantisedRows),
}

/// What follows a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Nothing,
    Residual,
    Gelu,
    GeluBytes,
}

/// A product, `[T, inputs]` times `[outputs, inputs]`, apart from its rows.
#[derive(Clone, Copy, Debug)]
struct Product {
    n_out: usize,
    n_in: usize,
    /// Which numbers bytes of rows stand for.
    code: Code,
    then: Then,
}

/// Whether a product with so many outputs writes GELU of them as bytes.
pub(super) fn writes_bytes(n_out: usize) -> bool {
    n_out.is_multiple_of(STRIP)
}

/// The kernels that a model may launch.
///
/// # Errors
/// If there is none for its GPU or its shape.
pub(super) fn kernels(shape: &Shape) -> Result<Vec<Instance>, DeviceError> {
    let Products {
        qkv,
        output,
        expand,
        contract,
    } = shape.products;
    let (hidden, wide) = (shape.hidden, shape.intermediate);
    let signed = |n_out, then| Product {
        n_out,
        n_in: hidden,
        code: Code::Signed,
        then,
    };
    let behind_gelu = Product {
        n_out: hidden,
        n_in: wide,
        code: Code::Gelu,
        then: Then::Residual,
    };
    let is_fused = contract && writes_bytes(wide);
    let products = [
        (qkv, signed(3 * hidden, Then::Nothing)),
        (output, signed(hidden, Then::Residual)),
        (expand && is_fused, signed(wide, Then::GeluBytes)),
        (expand && !is_fused, signed(wide, Then::Gelu)),
        (contract, behind_gelu),
    ];
    let asked = products.into_iter().filter(|&(asked, _)| asked);
    asked
        .map(|(_, product)| product.instance(shape.capability))
        .collect()
}

/// Enqueues `x W^T + b`, then what `out` asks for: `[T, in]` to `[T, out]`.
///
/// # Panics
/// If `x` has other rows than the weights are for, or what is added is not in bf16.
pub(super) fn product(x: &QuantisedRows, weights: &QuantisedWeights, out: Out<'_>) {
    let ([n_rows, n_in], [n_out, _]) = (x.shape, weights.shape);
    assert_eq!(
        (n_in, x.code),
        (weights.shape[1], weights.input),
        "the layer's inputs"
    );
    let (then, residual) = match &out {
        Out::Full(_, Epilogue::None) => (Then::Nothing, None),
        Out::Full(_, Epilogue::Gelu | Epilogue::GeluTanh) => (Then::Gelu, None),
        Out::Full(_, Epilogue::Residual(residual)) => {
            (Then::Residual, Some(Operand::new(residual)))
        }
        Out::Gelu(_) => (Then::GeluBytes, None),
    };
    let is_added_right = |residual: &Operand| residual.dtype() == Dtype::Bf16;
    assert!(residual.as_ref().is_none_or(is_added_right));
    let product = Product {
        n_out,
        n_in,
        code: x.code,
        then,
    };
    let gpu = x.bytes.gpu;
    let kernel = product
        .instance(gpu.capability())
        .and_then(|instance| Kernel::get(gpu, &instance));
    let mut reads = vec![
        x.bytes.handle(),
        &weights.bytes,
        x.scales.handle(),
        weights.scales.handle(),
        weights.bias.handle(),
    ];
    reads.extend(residual.as_ref().map(Operand::handle));
    let n_reads = reads.len();
    let writes = match &out {
        Out::Full(y, _) => vec![y.handle()],
        Out::Gelu(y) => vec![y.bytes.handle(), y.scales.handle()],
    };
    enqueue(gpu, &reads, &writes, move |stream, at| {
        let kernel = kernel?;
        if n_rows == 0 {
            return Ok(());
        }
        let (reads, writes) = at.split_at(n_reads);
        let maps = [
            TensorMap::of_bytes(reads[0], [n_rows, n_in], [TILE / 2, STEP_K])?,
            TensorMap::of_bytes(reads[1], [n_out, n_in], [STRIP / 2, STEP_K])?,
        ];
        // No kernel follows an address that is not there.
        let nothing = 0u64;
        let mut arguments: Vec<Argument> = vec![
            reads[2].into(),
            reads[3].into(),
            reads[4].into(),
            (*reads.get(5).unwrap_or(&nothing)).into(),
            writes[0].into(),
            (*writes.get(1).unwrap_or(&nothing)).into(),
            int(n_rows).into(),
            int(n_out).into(),
        ];
        if !product.is_resident() {
            arguments.push(int(product.n_steps()).into());
        }
        // A block fills a multiprocessor, and two are a cluster.
        let grid = Grid {
            blocks: ((gpu.n_multiprocessors() / 2 * 2) as u32, 1),
            threads: THREADS as u32,
        };
        // SAFETY: the maps and arguments are those of the kernel: x and W; scales of rows and channels, bias and, if it
        // is asked for, what is added; y and, of bytes, its scales; sizes. `enqueue` keeps the addresses valid.
        unsafe { kernel.launch_on(stream, grid, &maps, &arguments) }
    });
}

impl Product {
    /// Whether a strip of weights stays in shared memory.
    fn is_resident(&self) -> bool {
        self.n_in == RESIDENT_INPUTS
            && self.n_out.is_multiple_of(STRIP)
            && self.code == Code::Signed
    }

    /// Tiles along the inputs; those beyond the last input are zeros.
    fn n_steps(&self) -> usize {
        match self.code {
            Code::Signed => self.n_in.div_ceil(STEP_K),
            // Sums are whole numbers for so many inputs only.
            Code::Gelu => self.n_in.div_ceil(BLOCK) * (BLOCK / STEP_K),
        }
    }

    /// The kernel.
    ///
    /// # Errors
    /// If there is none for the GPU or the shape.
    fn instance(&self, capability: (u32, u32)) -> Result<Instance, DeviceError> {
        /// What a quad of lanes stores at once, of each row.
        const COLUMNS: usize = 32;
        /// Numbers that tiles have to begin at.
        const ALIGNMENT: usize = 16;
        if capability != (9, 0) {
            return Err(DeviceError::Shape(
                "products of 8-bit numbers need a GPU of compute capability 9.0".to_owned(),
            ));
        }
        let columns = match self.then {
            Then::GeluBytes => STRIP,
            _ => COLUMNS,
        };
        if !self.n_out.is_multiple_of(columns) || !self.n_in.is_multiple_of(ALIGNMENT) {
            return Err(DeviceError::Shape(format!(
                "products of 8-bit numbers have no kernel for {} inputs and {} outputs: these must be multiples of \
                 {ALIGNMENT} and {columns}",
                self.n_in, self.n_out
            )));
        }
        Ok(if self.is_resident() {
            self.resident()
        } else {
            self.streamed()
        })
    }

    fn resident(&self) -> Instance {
        let k_steps = RESIDENT_INPUTS / STEP_K;
        let step = TILE * STEP_K;
        // Weights and the ring, a scale and a bias a channel, the greatest number of each row of two tiles, and barriers:
        // two of each stage, one of each step of weights, and three more.
        let shared_bytes = (k_steps + STAGES) * step
            + 2 * STRIP / 2 * size_of::<f32>()
            + 2 * TILE * size_of::<f32>()
            + (2 * STAGES + k_steps + 3) * BARRIER;
        self.common(&RESIDENT, shared_bytes)
            .with("K_STEPS", k_steps)
    }

    fn streamed(&self) -> Instance {
        let step = (TILE + STRIP) * STEP_K;
        let shared_bytes = STAGES * (step + 2 * BARRIER);
        self.common(&STREAMED, shared_bytes)
    }

    fn common(&self, file: &'static KernelFile, shared_bytes: usize) -> Instance {
        let then = match self.then {
            Then::Nothing => "NOTHING",
            Then::Residual => "RESIDUAL",
            Then::Gelu => "GELU",
            Then::GeluBytes => "GELU_BYTES",
        };
        Instance::new(file, Dtype::Bf16)
            .with("THEN", then)
            .with("ROWS_SIGNED", usize::from(self.code == Code::Signed))
            .with("STEP_K", STEP_K)
            .with("STRIP", STRIP)
            .with("THREADS", THREADS)
            .with("N_STAGES", STAGES)
            .with("SHARED_BYTES", shared_bytes)
            .with_shared_bytes(shared_bytes)
    }
}
