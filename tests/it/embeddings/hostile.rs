//! Files of PyTorch that want more than to be read: nothing of them runs, and they are refused by the name of
//! what they ask for.

use super::files::{check_refused, folder_without_weights};
use crate::child::finish;
use std::{
    fs,
    io::{Cursor, Write},
    path::Path,
    process::Command,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

const MODEL: &str = "tests/golden/torch";

/// A zip archive with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, content) in entries {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A checkpoint with this pickle, and a storage of eight bytes.
fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    archive(&[("model/data.pkl", pickle), ("model/data/0", &[0; 8])])
}

fn check(bytes: &[u8], parts: &[&str]) {
    let folder = folder_without_weights(MODEL);
    fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
    check_refused(folder.path(), parts);
}

/// The text of a protocol 2 pickle.
fn text(text: &str) -> Vec<u8> {
    let n = u32::try_from(text.len()).unwrap().to_le_bytes();
    [b"X", n.as_slice(), text.as_bytes()].concat()
}

/// Ways to have Python run `touch marker`, and the name by which each is refused.
fn attacks(marker: &Path) -> Vec<(Vec<u8>, &'static str)> {
    let command = text(&format!("touch {}", marker.display()));
    let system = b"cos\nsystem\n".as_slice();
    let by = |parts: &[&[u8]]| {
        [&[b"\x80\x02".as_slice()], parts, &[b".".as_slice()]]
            .concat()
            .concat()
    };
    let object = b"cargparse\nNamespace\n)\x81".as_slice();
    vec![
        (by(&[system, &command, b"\x85R"]), "`os.system`"),
        (
            by(&[b"cposix\nsystem\n", &command, b"\x85R"]),
            "`posix.system`",
        ),
        (
            by(&[b"c__builtin__\neval\n", &command, b"\x85R"]),
            "`__builtin__.eval`",
        ),
        (
            by(&[b"cbuiltins\nexec\n", &command, b"\x85R"]),
            "`builtins.exec`",
        ),
        (
            by(&[&text("os"), &text("system"), b"\x93", &command, b"\x85R"]),
            "`os.system`",
        ),
        (by(&[b"(", system, &command, b"o"]), "`os.system`"),
        (by(&[b"(", &command, b"ios\nsystem\n"]), "`os.system`"),
        (by(&[system, &command, b"\x85\x81"]), "`os.system`"),
        (by(&[system, &command, b"\x85}\x92"]), "`os.system`"),
        (by(&[b"\x82\x07"]), "`copyreg's extension 7`"),
        (by(&[b"\x83\x07\x01"]), "`copyreg's extension 263`"),
        (by(&[b"\x84\x07\0\0\0"]), "`copyreg's extension 7`"),
        (
            by(&[b"ccopyreg\n_reconstructor\n"]),
            "`copyreg._reconstructor`",
        ),
        // Attributes that a class would be given, and an inner pickle.
        (
            by(&[object, b"}", &text("__setstate__"), system, b"sb}b"]),
            "`os.system`",
        ),
        (by(&[b"cnumpy\nload\n", &command, b"\x85R"]), "`numpy.load`"),
        (by(&[b"ctorch\nload\n", &command, b"\x85R"]), "`torch.load`"),
        (
            by(&[b"ctorch.serialization\nload\n"]),
            "`torch.serialization.load`",
        ),
        (by(&[b"c_pickle\nloads\n"]), "`_pickle.loads`"),
        // By a name that leads through a known one.
        (
            by(&[&text("argparse"), &text("Namespace.__init__"), b"\x93"]),
            "`argparse.Namespace.__init__`",
        ),
        (
            by(&[&text("argparse"), &text("_os.system"), b"\x93"]),
            "`argparse._os.system`",
        ),
        (
            by(&[b"ccollections\n\x1b[2Jx\n"]),
            r"`collections.\u{1b}[2Jx`",
        ),
    ]
}

#[test]
fn nothing_of_a_file_runs() {
    let folder = folder_without_weights(MODEL);
    let marker = folder.path().join("marker");
    for (pickle, name) in attacks(&marker) {
        // In both formats: the old one begins with a pickle of its own.
        for bytes in [checkpoint(&pickle), pickle] {
            fs::write(folder.path().join("pytorch_model.bin"), bytes).unwrap();
            check_refused(
                folder.path(),
                &[
                    "pytorch_model.bin",
                    "it asks for",
                    name,
                    "nothing of it was run",
                ],
            );
        }
    }
    let mut program = Command::new(env!("CARGO_BIN_EXE_runner"));
    fs::write(folder.path().join("job.rhai"), "esm2(\".\");").unwrap();
    program.args(["check", "job.rhai"]).current_dir(&folder);
    let output = finish(&mut program, b"");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(r"it asks for `collections.\u{1b}[2Jx`"),
        "{said}"
    );
    assert!(!marker.exists());
}

/// The pickle of a dictionary with one tensor of a storage of two numbers.
fn one_tensor(offset: u8, shape: &[u8], strides: &[u8], n_numbers: &[u8]) -> Vec<u8> {
    let tuple = |parts: &[u8]| {
        let numbers: Vec<u8> = parts.iter().flat_map(|&n| [b'K', n]).collect();
        [b"(".as_slice(), &numbers, b"t"].concat()
    };
    [
        b"\x80\x02}".as_slice(),
        &text("a"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        n_numbers,
        b"tQK",
        &[offset],
        &tuple(shape),
        &tuple(strides),
        b"\x89NtRs.",
    ]
    .concat()
}

#[test]
fn tensors_stay_within_their_storage() {
    let check = |pickle: &[u8], parts: &[&str]| check(&checkpoint(pickle), parts);
    // As it should be, it is no model.
    check(
        &one_tensor(0, &[2], &[1], b"K\x02"),
        &["no tensor is called"],
    );
    check(
        &one_tensor(1, &[2], &[1], b"K\x02"),
        &["`a`", "reaches beyond"],
    );
    check(
        &one_tensor(0, &[2], &[2], b"K\x02"),
        &["`a`", "reaches beyond"],
    );
    check(
        &one_tensor(0, &[3], &[1], b"K\x02"),
        &["`a`", "reaches beyond"],
    );
    check(
        &one_tensor(0, &[2], &[1], b"K\x03"),
        &["`data/0`, have 8 bytes of 12"],
    );
    check(
        &one_tensor(0, &[2], &[1, 1], b"K\x02"),
        &["makes no plain tensor"],
    );
    check(
        &one_tensor(0, &[1; 17], &[1; 17], b"K\x02"),
        &["makes no plain tensor"],
    );
    // 2^63 - 1, of which the bytes cannot be counted, and a number below zero.
    let most = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    check(
        &one_tensor(0, &[2], &[1], most),
        &["have 8 bytes of 18446744073709551615"],
    );
    check(
        &one_tensor(0, &[2], &[1], b"J\xff\xff\xff\xff"),
        &["no storage of numbers"],
    );
    // Two numbers, spread to 255^4.
    check(
        &one_tensor(0, &[255; 4], &[0; 4], b"K\x02"),
        &["`a`", "it repeats its numbers"],
    );
    check(
        &one_tensor(0, &[255; 16], &[0; 16], b"K\x02"),
        &["`a`", "reaches beyond"],
    );
    let missing = archive(&[("model/data.pkl", &one_tensor(0, &[2], &[1], b"K\x02"))]);
    self::check(&missing, &["`data/0`, are not in the file"]);
}

#[test]
fn archives_that_lie_are_refused() {
    let pickle = one_tensor(0, &[2], &[1], b"K\x02");
    let good = archive(&[("model/data.pkl", &pickle), ("model/data/0", &[0; 8])]);
    check(&good, &["no tensor is called"]);
    let lie = |what: &dyn Fn(&mut Vec<u8>, usize), parts: &[&str]| {
        // The entry of the storage in the list at the end.
        let mut bytes = good.clone();
        let name = bytes.windows(12).rposition(|name| name == b"model/data/0");
        what(&mut bytes, name.unwrap() - 46);
        check(&bytes, parts);
    };
    let set = |bytes: &mut Vec<u8>, at: usize, value: u32| {
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    };
    lie(
        &|bytes, at| {
            set(bytes, at + 20, 1 << 30);
            set(bytes, at + 24, 1 << 30);
        },
        &["`data/0` reaches beyond its end"],
    );
    lie(
        &|bytes, at| set(bytes, at + 24, 9),
        &["`data/0` is compressed"],
    );
    lie(
        &|bytes, at| set(bytes, at + 42, u32::MAX - 1),
        &["list of entries"],
    );
    lie(
        &|bytes, at| bytes[at + 10] = 8,
        &["`data/0` is compressed", "zip -0 -r"],
    );
    lie(
        &|bytes, _| *bytes = [b"PK\x03\x04".as_slice(), &[0; 100]].concat(),
        &["list of entries"],
    );
    lie(
        &|bytes, _| {
            let n = bytes.len();
            // The number of entries, twice.
            bytes[n - 14..n - 10].fill(0xff);
        },
        &["list of entries"],
    );
    let other = archive(&[("a/b", b""), ("data.pkl", b"")]);
    check(&other, &["not one that PyTorch wrote"]);
    let two = archive(&[("a/data.pkl", b""), ("b/data.pkl", b"")]);
    check(&two, &["not one that PyTorch wrote"]);
    check(
        &checkpoint(&vec![b'N'; (16 << 20) + 1]),
        &["more than 16777216 bytes"],
    );
}

#[test]
fn pickles_that_are_no_checkpoint_say_so() {
    check(b"\x80\x04}.", &["not one that PyTorch wrote"]);
    check(&checkpoint(b"\x80\x02N."), &["not a dictionary of tensors"]);
    check(
        &checkpoint(b"\x80\x02]."),
        &["it holds a list, not a dictionary"],
    );
    check(&checkpoint(b"\x80\x02}."), &["there are none"]);
    check(
        &checkpoint(b"\x80\x02}"),
        &["it ends before it is complete"],
    );
}
