//! How inputs are named and found.

use super::{
    TWO, TWO_ROWS,
    compression::gzip,
    job::{INPUT, Job, MODEL},
};
use std::{fs, os::unix::fs::symlink, process::Command};

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
    let output = Command::new(env!("CARGO_BIN_EXE_runner"))
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
fn a_file_that_is_named_twice_by_a_link() {
    let job = || {
        let job = Job::new(&[("in.fa", TWO)]);
        let at = |name: &str| job.folder.path().join(name);
        symlink("in.fa", at("link.fa")).unwrap();
        fs::hard_link(at("in.fa"), at("other.fa")).unwrap();
        job
    };
    for second in ["link.fa", "other.fa", "[lo]*.fa"] {
        job()
            .dataset(&format!("fasta([\"in.fa\", \"{second}\"])"))
            .check_stop(&["is the same file as `in.fa`", "two rows"]);
    }
    job().dataset("fasta(\"link.fa\")").check(TWO_ROWS);
}

#[test]
fn what_a_shell_pipes_under_a_name() {
    let job = Job::new(&[("in.gz", &gzip(TWO))]);
    let script = format!(
        "let model = esm2(\"{MODEL}\", #{{ device: \"mock\" }});
         let run = embed(model, fasta(args[0]), #{{ output: \"out.parquet\" }});
         print(run.embeddings().ids);
         try {{ embed(model, fasta(args[0])); }} catch (err) {{ print(err.kind); }}"
    );
    fs::write(job.folder.path().join("job.rhai"), script).unwrap();
    let output = Command::new("bash")
        .args(["-c", "\"$0\" exec -q job.rhai -- <(cat in.gz)"])
        .arg(env!("CARGO_BIN_EXE_runner"))
        .current_dir(job.folder.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    // It was read once, which is all that a pipe has.
    assert_eq!(stdout, "[\"a\", \"b\"]\ninput\n", "{:?}", output.stderr);
}

#[test]
fn patterns_of_every_kind() {
    let job = |dataset: &str| {
        let files: &[(&str, &[u8])] = &[
            ("p9.fa", b">p9\nM\n"),
            ("p09.fa", b">p09\nM\n"),
            ("p10.fa", b">p10\nM\n"),
            ("[ab].fa", b">literal\nM\n"),
            ("a.fa", b">a\nM\n"),
            ("*.fasta", b">star\nM\n"),
            ("b.fasta", b">b\nM\n"),
        ];
        let job = Job::new(files).dataset(dataset);
        let deep = job.folder.path().join("x/y");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("deep.faa"), ">deep\nM\n").unwrap();
        job
    };
    job("fasta(\"p{09..10}.fa\")").check("p09:1 p10:1");
    job("fasta(\"p{9..10}.fa\")").check("p10:1 p9:1");
    job("fasta(\"p?.fa\")").check("p9:1");
    job("fasta(\"**/*.faa\")").check("deep:1");
    job("fasta([\"p[0-9].fa\", \"a.fa\"])").check("p9:1 a:1");
    // A name that exists is no pattern.
    job("fasta([\"[ab].fa\", \"*.fasta\"])").check("literal:1 star:1");
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

#[test]
fn a_link_that_leads_nowhere() {
    let job = Job::new(&[]);
    symlink("gone.fa", job.folder.path().join("in.fa")).unwrap();
    job.check_stop(&["`in.fa`: is a symbolic link to `gone.fa`, which is missing"]);
}

#[test]
fn hidden_files_are_matched_only_by_a_dot() {
    let job = |dataset: &str| {
        let job = Job::new(&[("a.fa", b">a\nM\n"), (".b.fa", b">b\nM\n")]).dataset(dataset);
        let folder = job.folder.path();
        for (name, content) in [(".d/c.fa", ">c\nM\n"), ("e/f.fa", ">f\nM\n")] {
            let path = folder.join(name);
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        job
    };
    job("fasta(\"*.fa\")").check("a:1");
    job("fasta(\"?b.fa\")").check_stop(&["matches no file", "hidden"]);
    job("fasta(\"[.a]*.fa\")").check("a:1");
    job("fasta(\"**/*.fa\")").check("a:1 f:1");
    job("fasta([\".*.fa\", \".d/*.fa\"])").check("b:1 c:1");
}

#[test]
fn braces_and_the_home_folder() {
    let files: &[(&str, &[u8])] = &[
        ("a.fa", b">a\nM\n"),
        ("b.fa", b">b\nM\n"),
        ("c.fasta", b">c\nM\n"),
        ("{x,y}.fa", b">xy\nM\n"),
        ("~", b">home\nM\n"),
        ("1.fa", b">1\nM\n"),
        ("2.fa", b">2\nM\n"),
    ];
    let job = |dataset: &str| Job::new(files).dataset(dataset);
    job("fasta(\"{b,a}.fa\")").check("a:1 b:1");
    job("fasta(\"[ab].{fa,fasta,faa}\")").check("a:1 b:1");
    job("fasta(\"{a,none}.fa\")").check_stop(&["`none.fa`: no such file"]);
    job("fasta(\"{x,y}.fa\")").check("xy:1");
    job("fasta(\"{1..2}.fa\")").check("1:1 2:1");
    job("fasta(\"{a..c}.fa\")").check_stop(&["`{a..c}.fa`", "range", "{a,b}"]);
    job("fasta(\"{a,b.fa\")").check_stop(&["`{a,b.fa`", "without its `}`"]);
    job("fasta(\"~\")").check("home:1");
    job("fasta(\"~someone/a.fa\")").check_stop(&["the name of a user"]);
    // Whatever the home folder is, the name no longer has a `~`.
    let done = job("fasta(\"~/no such file.fa\")").run();
    assert_eq!(done.exit_code, INPUT);
    done.check_message(&["/no such file.fa`: no such file"]);
    assert!(!done.stderr.contains("`~"), "{}", done.stderr);
}

#[test]
fn places_elsewhere() {
    for source in [
        "s3://bucket/a.fa",
        "https://example.org/a.fa",
        "gs://b/a.fa",
    ] {
        Job::new(&[])
            .dataset(&format!("fasta(\"{source}\")"))
            .check_stop(&["is a URL", "pipe it", source]);
    }
    Job::new(&[])
        .dataset("fasta(\"file:///x/a.fa\")")
        .check_stop(&["is a URL", "`/x/a.fa`"]);
}

#[test]
fn terminals() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let name = nix::unistd::ttyname(&terminal.slave).unwrap();
    let name = name.to_str().unwrap();
    for source in ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", name] {
        let job = Job::new(&[]);
        let script =
            format!("embed(esm2(\"{MODEL}\", #{{ device: \"mock\" }}), fasta(\"{source}\"));");
        let path = job.folder.path().join("job.rhai");
        fs::write(&path, script).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_runner"))
            .arg("exec")
            .arg(path)
            .stdin(terminal.slave.try_clone().unwrap())
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(INPUT), "{source}: {message}");
        assert!(message.contains("is a terminal"), "{source}: {message}");
    }
}

#[test]
fn names_that_no_path_can_have() {
    for (source, part) in [
        ("{a,b}".repeat(1000), "File name too long"),
        ("a\\x00b".to_owned(), "cannot be opened"),
    ] {
        Job::new(&[])
            .dataset(&format!("fasta(\"{source}\")"))
            .check_stop(&[part]);
    }
}

#[test]
fn names_that_are_not_utf_8_are_matched() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let job = Job::new(&[("b.fa", b">b\nMK\n")]).dataset("fasta([\"*.fa\", \"*/x.fa\"])");
    let at = |name: &[u8]| job.folder.path().join(OsStr::from_bytes(name));
    fs::write(at(b"a\xff.fa"), b">a\nMJ\n").unwrap();
    fs::create_dir(at(b"\xfe")).unwrap();
    fs::write(at(b"\xfe/x.fa"), b">x\nM\n").unwrap();
    job.check("a:2 b:2 x:1")
        .check_message(&["`a\u{fffd}.fa`: 1 character outside the alphabet"]);
}

#[test]
fn folders_that_lead_around_in_circles() {
    let job = Job::new(&[("a.fa", b">a\nM\n")]).dataset("fasta(\"**/*.fa\")");
    for name in ["x", "y", "z"] {
        symlink(".", job.folder.path().join(name)).unwrap();
    }
    job.check("a:1");
}

#[test]
fn links_to_standard_input() {
    for target in ["/dev/stdin", "/proc/self/fd/0", "/dev/fd/0", "link"] {
        let job = Job::new(&[]).dataset("fasta(\"in.fa\")").stdin(TWO);
        let at = |name: &str| job.folder.path().join(name);
        symlink(target, at("in.fa")).unwrap();
        symlink("/dev/stdin", at("link")).unwrap();
        job.check(TWO_ROWS);
    }
}
