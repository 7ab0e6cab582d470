//! The input table of the README, row by row, through the real program: a file goes in, and either
//! the Parquet file holds its records or the program ends with exit code 4 and a message.

use arrow_array::{Array, BooleanArray, StringArray, UInt32Array, cast::AsArray};
use assert_cmd::Command;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};
use tempfile::TempDir;

const MODEL: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/examples/models/esm2_t6_2M_demo"
);
const OK: i32 = 0;
const INPUT: i32 = 4;
const REJECTED: i32 = 7;

/// A folder with input files, in which a job runs.
struct Job {
    folder: TempDir,
    /// The `fasta(...)` expression of the script.
    dataset: String,
    stdin: Vec<u8>,
}

/// What a job left behind.
struct Done {
    exit_code: i32,
    stderr: String,
    /// `id(description):length` for each row, `+` behind the length of a truncated one.
    rows: String,
    /// The lines of the rejects file.
    rejects: String,
}

impl Job {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        Self {
            folder,
            dataset: "fasta(\"in.fa\")".to_owned(),
            stdin: Vec::new(),
        }
    }

    fn dataset(mut self, dataset: &str) -> Self {
        dataset.clone_into(&mut self.dataset);
        self
    }

    fn stdin(mut self, content: &[u8]) -> Self {
        self.stdin = content.to_vec();
        self
    }

    fn run(&self) -> Done {
        let script = format!(
            "let model = esm2(\"{MODEL}\", #{{ device: \"mock\" }});\n\
             let run = embed(model, {}, #{{ output: \"out.parquet\" }});\n",
            self.dataset
        );
        let at = |name: &str| self.folder.path().join(name);
        fs::write(at("job.rhai"), script).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_runner"))
            .args(["exec", "job.rhai"])
            .current_dir(self.folder.path())
            .write_stdin(self.stdin.clone())
            .output()
            .unwrap();
        let rejects = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "tsv"));
        Done {
            exit_code: output.status.code().unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            rows: rows(&at("out.parquet")),
            rejects: rejects.map_or_else(String::new, |path| fs::read_to_string(path).unwrap()),
        }
    }

    /// Checks that the job ends with all records.
    fn check(&self, rows: &str) -> Done {
        let done = self.run();
        assert_eq!((done.exit_code, &*done.rows), (OK, rows), "{}", done.stderr);
        done
    }

    /// Checks that the job stops with a message that holds the parts, and publishes nothing.
    fn check_stop(&self, parts: &[&str]) {
        let done = self.run();
        assert_eq!(
            (done.exit_code, &*done.rows),
            (INPUT, ""),
            "{}",
            done.stderr
        );
        done.check_message(parts);
    }

    /// Checks that the job ends with some records and lists the others.
    fn check_rejects(&self, rows: &str, rejects: &[&str]) {
        let done = self.run();
        assert_eq!(
            (done.exit_code, &*done.rows),
            (REJECTED, rows),
            "{}",
            done.stderr
        );
        for reject in rejects {
            assert!(
                done.rejects.contains(reject),
                "`{reject}` in: {}",
                done.rejects
            );
        }
    }
}

impl Done {
    fn check_message(&self, parts: &[&str]) {
        // The terminal's width must not matter.
        let message = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in parts {
            assert!(message.contains(part), "`{part}` in: {message}");
        }
    }
}

/// The rows of a Parquet file, or nothing if there is none.
fn rows(path: &Path) -> String {
    let Ok(file) = File::open(path) else {
        return String::new();
    };
    let mut rows = Vec::new();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    for batch in batches.build().unwrap() {
        let batch = batch.unwrap();
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let ids = column("id");
        let ids: &StringArray = ids.as_string();
        let descriptions = column("description");
        let descriptions: &StringArray = descriptions.as_string();
        let lengths = column("length");
        let lengths: &UInt32Array = lengths.as_primitive();
        let truncated = column("truncated");
        let truncated: &BooleanArray = truncated.as_boolean();
        let embeddings = column("embedding");
        for row in 0..batch.num_rows() {
            assert!(embeddings.is_valid(row));
            let description = match descriptions.value(row) {
                "" => String::new(),
                text => format!("({text})"),
            };
            let more = if truncated.value(row) { "+" } else { "" };
            let (id, length) = (ids.value(row), lengths.value(row));
            rows.push(format!("{id}{description}:{length}{more}"));
        }
    }
    rows.join(" ")
}

/// Checks what becomes of one file under the default policies.
fn check(content: &[u8], rows: &str) {
    Job::new(&[("in.fa", content)]).check(rows);
}

fn check_stop(content: &[u8], parts: &[&str]) {
    Job::new(&[("in.fa", content)]).check_stop(parts);
}

const TWO: &[u8] = b">a first\nMKT\n>b\nMKTV\n";
const TWO_ROWS: &str = "a(first):3 b:4";

#[test]
fn plain_text() {
    check(TWO, TWO_ROWS);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn bgzip(text: &[u8]) -> Vec<u8> {
    let mut writer = noodles_bgzf::io::Writer::new(Vec::new());
    writer.write_all(text).unwrap();
    writer.finish().unwrap()
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 1).unwrap()
}

type Compressor = fn(&[u8]) -> Vec<u8>;

const COMPRESSORS: [Compressor; 5] = [gzip, bgzip, zstd, bzip2, xz];

#[test]
fn compressed_text_whatever_its_name() {
    for compress in COMPRESSORS {
        check(&compress(TWO), TWO_ROWS);
    }
}

#[test]
fn compressed_text_of_several_members() {
    for compress in COMPRESSORS {
        check(
            &[compress(&TWO[..11]), compress(&TWO[11..])].concat(),
            TWO_ROWS,
        );
    }
}

#[test]
fn compressed_text_that_is_cut_short() {
    for compress in COMPRESSORS {
        let whole = compress(TWO);
        check_stop(
            &whole[..whole.len() - 3],
            &["`in.fa`", "record", "cut short", "download it again"],
        );
    }
}

#[test]
fn several_files_and_patterns() {
    let files: &[(&str, &[u8])] = &[
        ("b.fa", b">b\nMK\n"),
        ("a.fa", b">a\nM\n"),
        ("c.faa", b">c\nMKT\n"),
    ];
    Job::new(files)
        .dataset("fasta([\"c.faa\", \"*.fa\"])")
        .check("c:3 a:1 b:2");
    Job::new(files)
        .dataset("fasta(\"*.fasta\")")
        .check_stop(&["`*.fasta`", "matches no file"]);
}

#[test]
fn standard_input() {
    for content in [TWO.to_vec(), gzip(TWO)] {
        Job::new(&[])
            .dataset("fasta(\"-\")")
            .stdin(&content)
            .check(TWO_ROWS);
    }
}

#[test]
fn a_named_pipe() {
    let job = Job::new(&[]).dataset("fasta(\"pipe\")");
    let pipe = job.folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Opening a pipe waits for its other end.
    let writer = std::thread::spawn(move || fs::write(pipe, TWO).unwrap());
    job.check(TWO_ROWS);
    writer.join().unwrap();
}

#[test]
fn standard_input_that_was_read_before() {
    Job::new(&[])
        .dataset("{ embed(model, fasta(\"-\")); fasta(\"-\") }")
        .stdin(TWO)
        .check_stop(&["`-`"]);
}

#[test]
fn standard_input_that_is_a_socket() {
    let job = Job::new(&[]);
    let script = format!("embed(esm2(\"{MODEL}\", #{{ device: \"mock\" }}), fasta(\"-\"));");
    let path = job.folder.path().join("job.rhai");
    fs::write(&path, script).unwrap();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_runner"))
        .arg("exec")
        .arg(path)
        .stdin(std::os::fd::OwnedFd::from(theirs))
        .output()
        .unwrap();
    drop(ours);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(INPUT), "{message}");
    assert!(message.contains("is a socket"), "{message}");
}

#[test]
fn a_file_that_is_named_twice() {
    Job::new(&[("in.fa", TWO)])
        .dataset("fasta([\"in.fa\", \"./in.fa\"])")
        .check_stop(&["`./in.fa`", "is the same file as `in.fa`"]);
}

#[test]
fn line_ends_of_windows() {
    check(b">a first\r\nMK\r\nT\r\n>b\r\nMKTV\r\n", TWO_ROWS);
}

#[test]
fn line_ends_of_old_macs() {
    check_stop(
        b">a\rMKT\r>b\rMKTV\r",
        &["`in.fa`", "carriage returns", "tr "],
    );
}

#[test]
fn lower_case() {
    check(b">a first\nmkt\n>b\nMkTv\n", TWO_ROWS);
}

#[test]
fn blank_lines_and_blanks() {
    check(b"\n\n>a first\n\nM K\n \nT\n\n>b\nMKTV\n\n", TWO_ROWS);
}

#[test]
fn no_final_line_feed() {
    check(b">a first\nMKT\n>b\nMKTV", TWO_ROWS);
}

#[test]
fn stops_at_the_end() {
    check(b">a first\nMKT*\n>b\nMKTV\n*\n", TWO_ROWS);
}

#[test]
fn stops_inside_and_characters_outside_the_alphabet() {
    let content = b">a first\nMKT\n>b\nM*K1J\n";
    let job = || Job::new(&[("in.fa", content)]);
    job()
        .check("a(first):3 b:5")
        .check_message(&["3 characters outside the alphabet in 1 records became `<unk>`"]);
    job()
        .dataset("fasta(\"in.fa\").residues(\"strip\")")
        .check("a(first):3 b:2")
        .check_message(&["were removed"]);
    job()
        .dataset("fasta(\"in.fa\").residues(\"error\")")
        .check_stop(&[
            "`in.fa`, record 2 (`b`): the character `*` behind 1 residues",
            "unk",
        ]);
}

#[test]
fn gaps_and_rare_letters_are_residues() {
    Job::new(&[("in.fa", b">a\nM-K.XBUZO\n")])
        .dataset("fasta(\"in.fa\").residues(\"error\")")
        .check("a:9");
}

#[test]
fn empty_records() {
    Job::new(&[("in.fa", b">a\n>b\nMK\n>c\n*\n")])
        .check_rejects("b:2", &["a\tempty sequence", "c\tempty sequence"]);
}

#[test]
fn lengths_outside_the_limits() {
    let job = || Job::new(&[("in.fa", b">a\nM\n>b\nMKT\n>c\nMKTVA\n")]);
    job()
        .dataset("fasta(\"in.fa\").min_length(2).max_length(4)")
        .check_rejects(
            "b:3",
            &["fewer than min_length 2", "more than max_length 4"],
        );
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"truncate\", 3)")
        .check("a:1 b:3 c:5+");
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"skip\", 3)")
        .check_rejects("a:1 b:3", &["c\t5 residues, more than 3"]);
    job()
        .dataset("fasta(\"in.fa\").long_sequences(\"error\", 3)")
        .check_stop(&["`in.fa`, record 3 (`c`): 5 residues, more than 3"]);
}

#[test]
fn ids_that_come_twice() {
    check(b">a\nM\n>a\nMK\n", "a:1 a:2");
}

#[test]
fn records_without_a_name() {
    Job::new(&[("in.fa", b">\nM\n> b c\nMK\n")])
        .check(":1 b(c):2")
        .check_message(&["1 records have no name"]);
}

#[test]
fn names_that_are_not_utf8() {
    check(b">a\xff d\xe9\nM\n", "a\\xFF(d\\xE9):1");
}

#[test]
fn very_long_lines() {
    let mut content = b">a\n".to_vec();
    content.extend(b"MKTV>".repeat(1_000_000));
    content.extend(b"\n>b\nMK\n");
    check(&content, "a:5000000+ b:2");
}

#[test]
fn more_residues_than_any_protein_has() {
    let mut content = b">a\n".to_vec();
    content.resize(content.len() + (16 << 20) + 1, b'A');
    check(&content, "a:16777217+");
    Job::new(&[("in.fa", &content)])
        .dataset("fasta(\"in.fa\").long_sequences(\"truncate\", 20000000)")
        .check_stop(&["16777217 residues, which no protein has", "max_length"]);
}

#[test]
fn nucleotides() {
    // A, C, G, T and N are residues, too, and a short peptide may have no others.
    check(b">dna\nACGTNACGT\n", "dna:9");
}

#[test]
fn an_empty_file() {
    check(b"", "");
    for content in [&b""[..], b"\n \n", &gzip(b"")] {
        Job::new(&[("in.fa", content), ("b.fa", b">b\nMK\n")])
            .dataset("fasta([\"in.fa\", \"b.fa\"])")
            .check("b:2")
            .check_message(&["`in.fa` holds no records"]);
    }
}

#[test]
fn a_file_that_is_not_fasta() {
    for (content, kind) in [
        (&b"@r\nACGT\n+\nIIII\n"[..], "FASTQ"),
        (b"<html>", "HTML"),
        (b"MKTV\n", "other text"),
        (b"\x7fELF\x00\x01", "a binary file"),
    ] {
        check_stop(content, &["`in.fa`: is not FASTA", kind]);
    }
}

#[test]
fn a_byte_order_mark() {
    check(b"\xef\xbb\xbf>a\nM\n", "a:1");
}

#[test]
fn a_folder() {
    let job = Job::new(&[]);
    fs::create_dir(job.folder.path().join("in.fa")).unwrap();
    job.check_stop(&["`in.fa`: is a folder", "`in.fa/*.fasta`"]);
}

#[test]
fn a_missing_file() {
    Job::new(&[]).check_stop(&["`in.fa`: no such file", "paths are relative to"]);
}
