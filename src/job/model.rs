//! Which model to load, and where.

use super::{
    CpuShare, DeviceChoice, Dtype, Effect, Gelu, Int8, Mock, OptionMap, OptionTable, OptionValue,
    Problem, Problems, Products,
    row::{OptionRow, non_zero},
};

/// A model as a script names it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// A folder with `config.json` and weights, or an id of the Hugging Face Hub, behind which `@` and a revision
    /// may stand.
    pub source: String,
    /// The branch, tag or commit of a model of the Hub.
    pub revision: Option<String>,
    /// The number format of weights and activations; the device decides if it is not given.
    pub dtype: Option<Dtype>,
    /// Where the model runs: on one device, or on several at once.
    pub device: DeviceChoice,
    /// How much of the CPU it takes, if it runs there.
    pub cpu: CpuShare,
    /// How GELU is computed.
    pub gelu: Gelu,
    /// How it computes in int8, if it does.
    pub int8: Int8,
    /// How the mock device behaves.
    pub mock: Mock,
}

type Row = OptionRow<ModelSpec>;

#[rustfmt::skip]
const OPTIONS: &[Row] = &[
    Row::choice("dtype", &Dtype::NAMES, |to, name| Dtype::from_name(name).map(|dtype| to.dtype = Some(dtype)),
        |of| of.dtype.map_or(OptionValue::Nothing, |dtype| dtype.name().into()))
        .otherwise("`\"bf16\"` on a GPU, `\"f32\"` on the CPU")
        .doc("the number format of weights and activations; on the CPU `\"bf16\"` is that of the products of linear layers \
              only and takes AMX, and `\"f16\"` is refused; `\"int8\"` takes a GPU of the kind of an H100, is that of most \
              products, beside bf16, and changes embeddings more than that")
        .effect(Effect::Values),
    Row::choices("device", &DeviceChoice::NAMES, |name| DeviceChoice::from_name(name).is_some(),
        DeviceChoice::hint,
        |to, names| DeviceChoice::from_names(names).map(|device| to.device = device),
        |of| of.device.value())
        .doc("where the model runs: `\"auto\"`, the first GPU that works, else the CPU; `\"cuda:1\"` or a UUID as \
              `nvidia-smi -L` writes it, that GPU; `\"cuda:all\"`, every GPU that the driver shows; \
              `[\"cuda:0\", \"cuda:2\"]`, these GPUs; `\"mock\"` hashes sequences instead of embedding them and serves \
              to measure everything around the model")
        .flag_doc("where the model runs: `auto`, the first GPU that works, else the CPU; `cuda:1` or a UUID as \
              `nvidia-smi -L` writes it, that GPU; `cuda:all`, every GPU that the driver shows; `cuda:0,cuda:2`, these \
              GPUs; `mock` hashes sequences instead of embedding them and serves to measure everything around the model")
        .effect(Effect::LastBits),
    Row::whole("threads", 1..=MOST_THREADS, |to, n| to.cpu.threads = Some(non_zero(n)), |of| of.cpu.threads.into())
        .otherwise("the cores that the process may use")
        .doc("threads that compute on the CPU. The default knows affinity (`taskset`), control groups and \
              `SLURM_CPUS_PER_TASK`"),
    Row::whole("cpu_lanes", 1..=MOST_THREADS, |to, n| to.cpu.lanes = Some(non_zero(n)), |of| of.cpu.lanes.into())
        .otherwise("`threads`")
        .doc("batches that are computed on the CPU at the same time. Threads without a batch of their own help those \
              that have one: fewer lanes take less memory, and are a little slower"),
    Row::choice("gelu", &Gelu::NAMES, |to, name| Gelu::from_name(name).map(|gelu| to.gelu = gelu),
        |of| of.gelu.name().into())
        .doc("how GELU is computed: `\"auto\"`, the tanh form in bf16 and f16, which is faster and differs by less than \
              rounding does, the erf form in f32, and in int8 behind an `fc1` of 8-bit numbers; `\"exact\"`, the erf form")
        .effect(Effect::Values),
    Row::choices("int8_products", &Products::NAMES, |name| Products::NAMES.contains(&name), Products::hint,
        |to, names| Products::from_names(names).map(|products| to.int8.products = products),
        |of| of.int8.products.value())
        .doc("with `dtype: \"int8\"`, which products of a layer are of 8-bit numbers, while the others are in bf16: \
              `\"qkv\"`, queries, keys and values; `\"out\"`, what attention gives out; `\"fc1\"` and `\"fc2\"`, the \
              feed-forward layer before and behind GELU")
        .flag_doc("in int8, which products of a layer are of 8-bit numbers, while the others are in bf16: `qkv`, `out`, \
                   `fc1`, `fc2`")
        .effect(Effect::Values),
    Row::number("accept_accuracy", 0.0..=1.0, |to, cosine| to.int8.accept_accuracy = cosine,
        |of| of.int8.accept_accuracy.into())
        .doc("with `dtype: \"int8\"`, how accurate the model has to be. When it is loaded, it embeds proteins that come \
              with the program in int8 and in bf16, and the least cosine of the pooled vectors of one must not be less")
        .flag_doc("in int8, how accurate the model has to be when it is loaded: the least cosine, with bf16, of the \
                   pooled vectors of proteins that come with the program"),
    Row::text("revision", "a branch, a tag or a commit", check_revision, |to, name| to.revision = Some(name),
        |of| of.revision.as_deref().map_or(OptionValue::Nothing, OptionValue::from))
        .otherwise("`\"main\"`")
        .doc("which revision of a model of the Hugging Face Hub is meant; `\"owner/name@revision\"` says the same. A \
              commit is always the same model, a branch what the Hub says when the model is downloaded"),
    Row::map("mock", |to, map| Mock::from_map(map).map(|mock| to.mock = mock), || Mock::OPTIONS.docs(),
        |of| OptionValue::Map(Mock::OPTIONS.map(&of.mock)))
        .doc("how the mock device behaves"),
];

impl ModelSpec {
    /// Every option of `esm2`, in the order in which problems are told.
    pub const OPTIONS: OptionTable<Self> = OptionTable {
        rows: OPTIONS,
        defaults: || Self::new(""),
    };

    /// The model `source` with every option at its default.
    pub fn new(source: &str) -> Self {
        Self {
            source: source.to_owned(),
            revision: None,
            dtype: None,
            device: DeviceChoice::default(),
            cpu: CpuShare::default(),
            gelu: Gelu::default(),
            int8: Int8::default(),
            mock: Mock::default(),
        }
    }

    /// The model `source` with the options that a script gave.
    ///
    /// # Errors
    /// An empty source, two revisions, and every option that is unknown, of the wrong type or out of range.
    pub fn from_map(source: &str, map: OptionMap) -> Result<Self, Problems> {
        if source.trim().is_empty() {
            return Err(Problems::one(
                "the model has no name",
                Some(
                    "give a folder with `config.json` and weights, or an id of the Hugging Face Hub such as \
                     `facebook/esm2_t12_35M_UR50D`"
                        .to_owned(),
                ),
            ));
        }
        let without_int8 = Int8::refuse_options(&map);
        let spec = Self {
            source: source.to_owned(),
            ..Self::OPTIONS.read(map)?
        };
        // Whoever names products believes that the model is in int8.
        if spec.dtype != Some(Dtype::Int8) {
            without_int8?;
        }
        match (source.split_once('@'), &spec.revision) {
            (Some((id, named)), Some(revision)) if named != revision => {
                Err(Problems(vec![Problem {
                    message: format!(
                        "`{source}` names a revision, and `revision` is \"{revision}\""
                    ),
                    hint: Some(format!("leave one of them out: `{id}@{revision}` is both")),
                    option: Some("revision".to_owned()),
                }]))
            }
            _ => Ok(spec),
        }
    }
}

/// More threads than this are a typing error, not a wish.
const MOST_THREADS: i64 = 4096;

/// Whether a branch, a tag or a commit can be called so.
fn check_revision(name: &str) -> Result<(), Problem> {
    let is_odd = |character: char| character.is_whitespace() || character.is_control();
    if !name.contains(is_odd) && !name.contains("..") {
        return Ok(());
    }
    Err(Problem {
        message: format!("{name:?} is no name of a revision"),
        hint: Some("give a branch, a tag or a commit, as `main`".to_owned()),
        option: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hint::Hint,
        job::{GpuChoice, OptionValue},
    };

    #[test]
    fn options_of_models() {
        let check =
            |name: &str, value: &str, expect: Result<(Option<Dtype>, DeviceChoice), &str>| {
                let map = [(name.to_owned(), OptionValue::Text(value.to_owned()))].into();
                match (ModelSpec::from_map("a/model", map), expect) {
                    (Ok(spec), Ok(expect)) => assert_eq!((spec.dtype, spec.device), expect),
                    (Err(problems), Err(expect)) => {
                        let text = problems.in_full();
                        assert!(text.contains(expect), "{text}");
                    }
                    (result, _) => panic!("{name} {value}: {result:?}"),
                }
            };
        check("dtype", "bf16", Ok((Some(Dtype::Bf16), DeviceChoice::Auto)));
        check("device", "cuda:3", Ok((None, DeviceChoice::cuda(3))));
        check("device", "cuda:all", Ok((None, DeviceChoice::AllGpus)));
        check("device", "mock", Ok((None, DeviceChoice::Mock)));
        let uuid = "GPU-8f6d1e5c-0000-1111-2222-333344445555";
        check(
            "device",
            uuid,
            Ok((
                None,
                DeviceChoice::Gpus(vec![GpuChoice::Uuid(uuid.to_owned())]),
            )),
        );
        for malformed in [
            "GPU-123",
            "GPU-",
            &uuid.replace('8', "g"),
            &uuid.replace('-', "0"),
        ] {
            check("device", malformed, Err("must be one of"));
        }
        check(
            "device",
            "GPU-123",
            Err("a UUID is `GPU-` and 36 characters"),
        );
        check(
            "device",
            "cuda:0,cuda:1",
            Err("write `device: [\"cuda:0\", \"cuda:1\"]`"),
        );
        check("gelu", "exact", Ok((None, DeviceChoice::Auto)));
        check("gelu", "exakt", Err("did you mean \"exact\"?"));
        check("dtype", "int8", Ok((Some(Dtype::Int8), DeviceChoice::Auto)));
        check("dtype", "Int8", Err("did you mean \"int8\"?"));
        check("dtype", "bf61", Err("did you mean \"bf16\"?"));
        check("device", "gpu", Err("must be one of \"auto\", \"cpu\""));
        check("device", "gpu", Err("did you mean \"cuda\"?"));
        check("dtype", "float32", Err("did you mean \"f32\"?"));
        check("dtype", "Float16", Err("did you mean \"f16\"?"));
        check("device", "cuda:x", Err("did you mean \"cuda:0\"?"));
        check("device", "cuda:al", Err("did you mean \"cuda:all\"?"));
        check("device", "gpus", Err("did you mean \"cuda:all\"?"));
        check("devise", "cpu", Err("did you mean `device`?"));
        check("mock", "fast", Err("`mock` is \"fast\", but must be a map"));
        assert!(ModelSpec::from_map(" ", OptionMap::new()).is_err());
    }

    #[test]
    fn a_model_has_one_revision() {
        let check = |source: &str, revision: &str, expect: Result<(), &str>| {
            let map = [(
                "revision".to_owned(),
                OptionValue::Text(revision.to_owned()),
            )]
            .into();
            match (ModelSpec::from_map(source, map), expect) {
                (Ok(spec), Ok(())) => assert_eq!(spec.revision.as_deref(), Some(revision)),
                (Err(problems), Err(expect)) => {
                    let text = problems.in_full();
                    assert!(text.contains(expect), "{text}");
                }
                (result, _) => panic!("{source} {revision}: {result:?}"),
            }
        };
        check("a/b", "refs/pr/1", Ok(()));
        check("a/b@v1", "v1", Ok(()));
        check(
            "a/b@v1",
            "v2",
            Err("leave one of them out: `a/b@v2` is both"),
        );
        check("a/b", "v 1", Err("\"v 1\" is no name of a revision"));
        check("a/b", "../x", Err("is no name of a revision"));
        check("a/b", "", Err("must be a branch, a tag or a commit"));
    }

    #[test]
    fn devices_are_a_name_or_an_array_of_names() {
        let check = |items: &[OptionValue], expect: Result<DeviceChoice, &str>| {
            let value = OptionValue::List(items.to_vec());
            let map = [("device".to_owned(), value)].into();
            match (ModelSpec::from_map("a/model", map), expect) {
                (Ok(spec), Ok(expect)) => assert_eq!(spec.device, expect),
                (Err(problems), Err(expect)) => {
                    let text = problems.in_full();
                    assert!(text.contains(expect), "{text}");
                }
                (result, _) => panic!("{items:?}: {result:?}"),
            }
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.into()).collect::<Vec<_>>();
        let uuid = "GPU-8f6d1e5c-0000-1111-2222-333344445555";
        let several = DeviceChoice::Gpus(vec![
            GpuChoice::Ordinal(2),
            GpuChoice::Ordinal(0),
            GpuChoice::Uuid(uuid.to_owned()),
        ]);
        check(&names(&["cuda:2", "cuda", uuid]), Ok(several.clone()));
        assert_eq!(several.to_string(), format!("cuda:2, cuda:0, {uuid}"));
        assert_eq!(
            several.value(),
            OptionValue::List(names(&["cuda:2", "cuda:0", uuid]))
        );
        // An array of one name is that name.
        for name in DeviceChoice::NAMES {
            let name = if name == "GPU-<uuid>" { uuid } else { name };
            let one = DeviceChoice::from_name(name).unwrap();
            check(&names(&[name]), Ok(one));
        }
        check(&[], Err("`device` is [], but must be one of \"auto\""));
        check(
            &[OptionValue::Whole(1)],
            Err("`device` is [1], but must be one of"),
        );
        let array = "write `device: [\"cuda:0\", \"cuda:1\"]`";
        check(&[OptionValue::Whole(0), OptionValue::Whole(1)], Err(array));
        check(&[OptionValue::Whole(1)], Err("write `device: \"cuda:1\"`"));
        check(&[OptionValue::Whole(-1)], Err("`device` is [-1], but"));
        check(&names(&["cuda:0,cuda:1"]), Err(array));
        check(&names(&["cuda:0, cuda:1"]), Err(array));
        check(
            &names(&["cuda:0", "cuda:z"]),
            Err("`device` names \"cuda:z\", but each must be one of \"auto\""),
        );
        check(&names(&["cuda:0", "gpu"]), Err("did you mean \"cuda\"?"));
        check(
            &names(&["cuda", "cuda:1", "cuda:0"]),
            Err("names \"cuda:0\" twice"),
        );
        for name in ["cpu", "auto", "mock", "cuda:all"] {
            let expect = format!("names \"{name}\" beside others");
            check(&names(&["cuda:0", name]), Err(&expect));
        }
        check(&names(&["mock", "mock"]), Err("`mock: #{ lanes: 2 }`"));
    }
}
