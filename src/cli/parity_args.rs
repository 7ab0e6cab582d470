//! What `runner parity` is given.

use crate::{
    host::{ParityPlan, Reference},
    job::{Dataset, DeviceChoice, Dtype, Int8, Layer, ModelSpec, Problems, Products},
};
use clap::Args;

/// What is compared.
#[derive(Debug, Args)]
pub(super) struct ParityArgs {
    /// The model, as a script names it: a folder, or an id of the Hugging Face Hub
    model: String,
    /// Proteins of yours: files, patterns, or `-`; without them 50 diverse ones that come with the program
    fasta: Vec<String>,
    /// The number format to try: int8, bf16, f16 or f32; by default the one that the device would compute in
    #[arg(long, value_name = "FORMAT", value_parser = dtype)]
    dtype: Option<Dtype>,
    /// In int8, the products that are of 8-bit numbers, such as qkv,out,fc1,fc2
    #[arg(long, value_name = "NAMES", value_parser = products)]
    int8_products: Option<Products>,
    /// Where the model runs, as in scripts: auto, cpu, cuda, cuda:1 or a UUID
    #[arg(long, default_value = "auto", value_parser = device)]
    device: DeviceChoice,
    /// Where f32 is computed: on the same `device`, or on the `cpu`
    #[arg(long, value_name = "WHERE", default_value = "device", value_parser = reference)]
    reference: Reference,
    /// The hidden state that is compared: 0 is the embedding output, -1 the last
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    layer: i64,
    /// How many proteins to take at most, 200 of yours by default
    ///
    /// The vectors of all their residues are in main memory, twice: 10 kB a residue for a model of 650M
    /// parameters. Contacts are compared for as many of them as 64 MB hold, and scores of a few short ones.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    take: Option<u32>,
    /// Exit with code 1 if the cosine of a protein's pooled vectors is less
    #[arg(long, value_name = "COSINE", value_parser = cosine)]
    pub(super) least: Option<f64>,
}

/// Proteins that are enough to see how a number format does, and few enough to wait for.
const USUAL_TAKE: u32 = 200;

impl ParityArgs {
    /// What is to be done.
    ///
    /// # Errors
    /// If it makes no sense.
    pub(super) fn plan(&self) -> Result<ParityPlan, Problems> {
        let dataset = match self.fasta.as_slice() {
            [] => None,
            sources => {
                let take = i64::from(self.take.unwrap_or(USUAL_TAKE));
                Some(Dataset::new(sources.to_vec()).take(take)?)
            }
        };
        if self.int8_products.is_some() && self.dtype != Some(Dtype::Int8) {
            return Err(Problems::one(
                "`--int8-products` is for int8, which is not asked for",
                Some("add `--dtype int8`, or leave `--int8-products` out".to_owned()),
            ));
        }
        Ok(ParityPlan {
            model: ModelSpec {
                dtype: self.dtype,
                device: self.device.clone(),
                int8: Int8 {
                    products: self.int8_products.unwrap_or(Int8::default().products),
                    // How accurate it is, is what is asked.
                    accept_accuracy: 0.0,
                },
                ..ModelSpec::new(&self.model)
            },
            reference: self.reference,
            dataset,
            take: self.take.map(|take| take as usize),
            layer: Layer(self.layer),
        })
    }
}

fn dtype(name: &str) -> Result<Dtype, String> {
    Dtype::from_name(name).ok_or_else(|| "write int8, bf16, f16 or f32".to_owned())
}

fn products(names: &str) -> Result<Products, String> {
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    let is_name = |name: &&str| Products::NAMES.contains(name);
    match Products::from_names(&names) {
        Ok(products) if names.iter().all(is_name) => Ok(products),
        Ok(_) | Err(_) => Err(format!(
            "write some of {}, each once, with commas between",
            Products::NAMES.join(", ")
        )),
    }
}

fn device(name: &str) -> Result<DeviceChoice, String> {
    let instead = "write auto, cpu, cuda, cuda:1 or a UUID as `nvidia-smi -L` writes it";
    match DeviceChoice::from_name(name) {
        // All GPUs of a kind compute the same.
        Some(DeviceChoice::AllGpus) => Err("one GPU is enough: write cuda".to_owned()),
        Some(DeviceChoice::Mock) => Err("the mock device computes no embeddings".to_owned()),
        Some(device) => Ok(device),
        None => Err(instead.to_owned()),
    }
}

fn reference(name: &str) -> Result<Reference, String> {
    match name {
        "device" => Ok(Reference::SameDevice),
        "cpu" => Ok(Reference::Cpu),
        _ => Err("write device or cpu".to_owned()),
    }
}

/// A cosine that is less than 1, as rounding is to be seen.
fn cosine(text: &str) -> Result<f64, String> {
    let cosine = text.parse().unwrap_or(f64::NAN);
    match (-1.0..=1.0).contains(&cosine) {
        true => Ok(cosine),
        false => Err("write a cosine, such as 0.998".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser;

    fn parsed(args: &[&str]) -> Result<ParityPlan, String> {
        let cli = Cli::try_parse_from([&["runner", "parity"], args].concat());
        match cli.map_err(|error| error.to_string())?.command {
            Command::Parity(args) => Ok(args.plan().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_compared_is_what_runs_would_compute() {
        let plan = parsed(&["m"]).unwrap();
        let any_accuracy = Int8 {
            accept_accuracy: 0.0,
            ..Int8::default()
        };
        let usual = ModelSpec {
            int8: any_accuracy,
            ..ModelSpec::new("m")
        };
        assert_eq!(plan.model, usual);
        assert_eq!((plan.reference, plan.layer.0), (Reference::SameDevice, -1));
        assert!(plan.dataset.is_none() && plan.take.is_none());
        let plan = parsed(&["m", "a.fa", "--dtype", "f16", "--layer", "-2"]).unwrap();
        assert_eq!((plan.model.dtype, plan.layer.0), (Some(Dtype::F16), -2));
        assert_eq!(plan.dataset.unwrap().take, Some(200));
        let plan = parsed(&["m", "a.fa", "b.fa", "--take", "3", "--reference", "cpu"]).unwrap();
        assert_eq!(plan.dataset.unwrap().take, Some(3));
        assert_eq!(plan.reference, Reference::Cpu);
        let plan = parsed(&["m", "--dtype", "int8", "--int8-products", "fc1, qkv"]).unwrap();
        assert_eq!(plan.model.dtype, Some(Dtype::Int8));
        let products: Vec<_> = plan.model.int8.products.names().collect();
        assert_eq!(products, ["qkv", "fc1"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |option: &str, value: &str, expect: &str| {
            let error = parsed(&["m", option, value]).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check("--dtype", "float32", "write int8, bf16, f16 or f32");
        check(
            "--int8-products",
            "qkv,fc3",
            "write some of qkv, out, fc1, fc2",
        );
        check("--int8-products", "qkv,qkv", "each once");
        check("--device", "mock", "no embeddings");
        check("--device", "cuda:all", "one GPU is enough");
        check("--device", "gpu", "write auto, cpu");
        check("--reference", "gpu", "write device or cpu");
        check("--least", "99.8", "write a cosine");
        check("--take", "0", "not in 1..");
    }
}
