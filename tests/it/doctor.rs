//! What `runner doctor` says of a machine, whatever is broken there.

use crate::{RUNNER, child};
use runner::device::amx;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

/// A folder with the program in `bin`, as in an environment of Python. It has its own caches, and the program no
/// variables of CUDA.
struct Environment(TempDir);

impl Environment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("bin")).unwrap();
        symlink(RUNNER, folder.path().join("bin/runner")).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Puts NVIDIA's packages of CUDA 13 where pip puts them: what is in this folder.
    fn install(&self, cu13: &Path) {
        let nvidia = self.path().join("lib/python3.11/site-packages/nvidia");
        fs::create_dir_all(&nvidia).unwrap();
        symlink(cu13, nvidia.join("cu13")).unwrap();
    }

    fn doctor(&self) -> Command {
        let mut command = Command::new(self.path().join("bin/runner"));
        command.arg("doctor");
        for variable in [
            "CUDA_PATH",
            "LD_LIBRARY_PATH",
            "VIRTUAL_ENV",
            "CONDA_PREFIX",
            "RUST_LOG",
        ] {
            command.env_remove(variable);
        }
        command
            .env("HOME", self.path())
            .env("RUNNER_CACHE_DIR", self.path().join("kernels"))
            .env("HF_HOME", self.path().join("hf"));
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one object that the program writes, and its exit code.
fn json(command: &mut Command) -> (Value, Option<i32>) {
    let Output {
        status,
        stdout,
        stderr,
    } = child::finish(command.arg("--json"), b"");
    let object = serde_json::from_slice(&stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", text(&stdout), text(&stderr));
    });
    (object, status.code())
}

/// The first finding with a name.
fn finding<'a>(object: &'a Value, name: &str) -> &'a Value {
    let findings = object["findings"].as_array().unwrap();
    let mut named = findings.iter().filter(|finding| finding["name"] == name);
    named
        .next()
        .unwrap_or_else(|| panic!("no {name} in {object:#}"))
}

#[test]
fn a_machine_that_computes_passes_as_text_and_as_json() {
    let environment = Environment::new();
    let mut command = environment.doctor();
    command.env("CUDA_VISIBLE_DEVICES", "").env("COLUMNS", "60");
    let run = child::finish(&mut command, b"");
    let (stdout, stderr) = (text(&run.stdout), text(&run.stderr));
    assert_eq!(run.status.code(), Some(0), "{stdout}{stderr}");
    for part in [
        "program\n  ✓ runner  ",
        "machine\n  ✓ system  ",
        "\nGPU\n",
        "  ✓ kernels  ",
        "self-test\n  ✓ CPU f32  ",
        "\n\nEverything works that is needed",
    ] {
        assert!(stdout.contains(part), "{part} is not in {stdout}");
    }
    // Words that are longer than a line are paths.
    let is_long = |line: &&str| {
        line.chars().count() > 60 && line.split_whitespace().all(|word| word.len() < 30)
    };
    assert_eq!(stdout.lines().find(is_long), None, "{stdout}");

    let (object, code) = json(environment.doctor().env("CUDA_VISIBLE_DEVICES", ""));
    assert_eq!(code, Some(0), "{object:#}");
    assert_eq!(
        (&object["format"], &object["ok"], &object["failures"]),
        (&1.into(), &true.into(), &0.into())
    );
    for finding in object["findings"].as_array().unwrap() {
        let keys: Vec<_> = finding
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            keys,
            ["facts", "name", "remedy", "section", "state", "text"]
        );
        let state = finding["state"].as_str().unwrap();
        assert!(["good", "note", "warning"].contains(&state), "{finding:#}");
        // Who is told of something odd is told what to do.
        assert!(
            state != "warning" || finding["remedy"].is_string(),
            "{finding:#}"
        );
        let name = finding["name"].as_str().unwrap();
        assert!(stdout.contains(name), "{name} is not in {stdout}");
    }
    let numbers = finding(&object, "CPU f32");
    let (error, tolerance) = (&numbers["facts"]["error"], &numbers["facts"]["tolerance"]);
    assert!(
        error.as_f64().unwrap() <= tolerance.as_f64().unwrap(),
        "{numbers:#}"
    );
    if amx::lacking().is_none() {
        assert_eq!(finding(&object, "CPU bf16")["state"], "good");
    }
    assert_eq!(finding(&object, "memory")["section"], "machine");
}

#[test]
fn secrets_are_not_shown() {
    let environment = Environment::new();
    let with_secrets = |command: &mut Command| {
        command
            .env("HF_TOKEN", "hf_theTokenThatNobodyMaySee12")
            .env(
                "HTTP_PROXY",
                "http://me:first theKey\"thePassword@proxy.example:1",
            )
            .env("HF_ENDPOINT", "http://me:the@Key/thePassword b@hub.example")
            .env("https_proxy", "http://me:thePassword@proxy.example:3128")
            .env("RUNNER_API_KEY", "theKey")
            .env("NVIDIA_REQUIRE_CUDA", "cuda>=13.0")
            .env("RUNNER_LONG", "long".repeat(100));
    };
    let mut command = environment.doctor();
    with_secrets(&mut command);
    let shown = text(&child::finish(&mut command, b"").stdout);
    let mut command = environment.doctor();
    with_secrets(&mut command);
    let (object, _) = json(&mut command);
    // People need not see all of a long one, nor what changes nothing.
    let cut = format!("RUNNER_LONG={}…", "long".repeat(30));
    assert!(shown.contains(&cut), "{shown}");
    for shown in [shown, object.to_string()] {
        assert!(!shown.contains("NVIDIA_REQUIRE"), "{shown}");
        for secret in ["theTokenThat", "thePassword", "theKey", "Key/", "first"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(shown.contains("@proxy.example:3128"), "{shown}");
    }
    let variables = &finding(&object, "variables")["facts"]["variables"];
    assert_eq!(variables["HF_TOKEN"], "***");
    assert_eq!(variables["RUNNER_LONG"], "long".repeat(100));
}

#[test]
fn caches_that_cannot_be_written_to_are_odd_and_no_failure() {
    let environment = Environment::new();
    let mut command = environment.doctor();
    command
        .env("HOME", "/proc")
        .env("RUNNER_CACHE_DIR", "/proc/kernels")
        .env("HF_HOME", "/proc/hf");
    let (object, code) = json(&mut command);
    let hub = finding(&object, "Hub");
    assert_eq!(
        (&hub["state"], &hub["facts"]["writable"]),
        (&"warning".into(), &false.into())
    );
    if cfg!(feature = "cuda") {
        let kernels = finding(&object, "kernels");
        assert_eq!(kernels["state"], "warning");
        assert!(
            kernels["remedy"]
                .as_str()
                .unwrap()
                .contains("RUNNER_CACHE_DIR")
        );
    }
    // On a machine with a GPU that does not work the code is another one.
    assert_eq!(code == Some(0), object["ok"] == true);
}

#[test]
fn variables_that_keep_the_hub_away_are_warned_of_and_a_home_is_looked_up() {
    let environment = Environment::new();
    let nowhere = environment.path().join("nowhere.pem");
    let mut command = environment.doctor();
    command
        .env("CUDA_VISIBLE_DEVICES", "")
        .env("HF_ENDPOINT", "huggingface.co")
        .env("SSL_CERT_FILE", &nowhere)
        .env("HOME", "");
    for variable in ["RUNNER_CACHE_DIR", "XDG_CACHE_HOME"] {
        command.env_remove(variable);
    }
    let (object, code) = json(&mut command);
    assert_eq!(code, Some(0), "{object:#}");
    for (name, told) in [
        ("HF_ENDPOINT", "is `huggingface.co`, which is no address"),
        ("SSL_CERT_FILE", "nowhere.pem`, which cannot be read"),
    ] {
        let found = finding(&object, name);
        assert_eq!(found["state"], "warning");
        assert!(found["text"].as_str().unwrap().contains(told), "{found:#}");
    }
    assert!(cfg!(not(feature = "cuda")) || finding(&object, "kernels")["text"].is_string());
}

#[test]
fn a_folder_of_temporary_files_that_is_missing_is_a_failure() {
    let environment = Environment::new();
    let mut command = environment.doctor();
    // An empty one counts as not set.
    let (object, _) = json(command.env("TMPDIR", ""));
    assert_eq!(
        finding(&object, "temporary files")["facts"]["folder"],
        "/tmp"
    );
    let mut command = environment.doctor();
    command.env("TMPDIR", environment.path().join("none"));
    let (object, code) = json(&mut command);
    assert_eq!(code, Some(1));
    let room = finding(&object, "temporary files");
    assert_eq!(room["state"], "failure");
    assert!(
        room["remedy"].as_str().unwrap().contains("TMPDIR"),
        "{room:#}"
    );
}

#[cfg(feature = "cuda")]
mod gpu {
    use super::*;
    use nix::{
        sys::signal::{Signal, kill},
        unistd::Pid,
    };
    use std::{
        path::PathBuf,
        process::Stdio,
        thread,
        time::{Duration, Instant},
    };

    /// A driver with one GPU, which has no memory left when it is opened.
    const DRIVER: &str = r#"
#include <string.h>
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = VERSION; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int n, int device) { strncpy(name, "NVIDIA Stub", n); return 0; }
int cuDeviceGetUuid(char *uuid, int device) { memset(uuid, 7, 16); return 0; }
int cuDeviceGetUuid_v2(char *uuid, int device) { memset(uuid, 7, 16); return 0; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 9 : 0; return 0; }
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) { *bytes = 80ul << 30; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return 2; }
int cuGetErrorString(int error, const char **text) { *text = "out of memory"; return 0; }
"#;

    /// A driver that says it was called and never answers, and that would hold up an end which asks it to clean up.
    const HUNG_DRIVER: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void hang(void) { for (;;) pause(); }
int cuInit(unsigned flags) {
    atexit(hang);
    fclose(fopen(getenv("STUB_CALLED"), "w"));
    hang();
    return 0;
}
"#;

    /// A folder with the library of a driver, which is made for this version of CUDA.
    fn driver(folder: &Path, version: u32) -> PathBuf {
        compiled(folder, DRIVER, version)
    }

    fn compiled(folder: &Path, code: &str, version: u32) -> PathBuf {
        let driver = folder.join("driver");
        fs::create_dir_all(&driver).unwrap();
        let source = folder.join("driver.c");
        fs::write(&source, code).unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", &format!("-DVERSION={version}"), "-o"])
            .arg(driver.join("libcuda.so.1"))
            .arg(&source)
            .status();
        assert!(compiled.unwrap().success());
        driver
    }

    /// Whether the loader finds a compiler on this machine whatever lies beside the program.
    fn has_installed_compiler() -> bool {
        let cache = fs::read("/etc/ld.so.cache").unwrap_or_default();
        String::from_utf8_lossy(&cache).contains("libnvrtc.so")
    }

    #[test]
    fn a_broken_toolkit_is_named_with_its_file_and_fails_where_there_is_a_gpu() {
        if has_installed_compiler() {
            return;
        }
        let environment = Environment::new();
        let cu13 = environment.path().join("broken");
        fs::create_dir_all(cu13.join("lib")).unwrap();
        fs::write(cu13.join("lib/libnvrtc.so.13"), "no library ".repeat(100)).unwrap();
        environment.install(&cu13);

        let (object, code) = json(&mut environment.doctor());
        if finding(&object, "driver")["facts"]["cuda"].is_null() {
            assert_eq!(code, Some(0), "{object:#}");
            assert_eq!(finding(&object, "NVRTC")["state"], "warning");
        }
        let driver = driver(environment.path(), 13000);
        let (object, code) = json(environment.doctor().env("LD_LIBRARY_PATH", driver));
        assert_eq!(code, Some(1), "{object:#}");
        assert_eq!(finding(&object, "cuda:0")["facts"]["name"], "NVIDIA Stub");
        let compiler = finding(&object, "NVRTC");
        assert_eq!(compiler["state"], "failure");
        let told = compiler["text"].as_str().unwrap();
        assert!(
            told.contains("cu13/lib/libnvrtc.so.13") && told.contains("invalid ELF header"),
            "{told}"
        );
        assert!(
            compiler["remedy"]
                .as_str()
                .unwrap()
                .contains("pip install nvidia-cuda-nvrtc")
        );
        assert_eq!(finding(&object, "cuda:0 bf16")["state"], "failure");
        assert_eq!(finding(&object, "CPU f32")["state"], "good");
    }

    #[test]
    fn a_driver_that_is_there_and_does_not_open_is_a_failure_with_its_file() {
        let environment = Environment::new();
        let folder = environment.path().join("garbage");
        fs::create_dir_all(&folder).unwrap();
        // A file for another kind of processor, which the loader passes by without a word.
        let mut other = fs::read("/proc/self/exe").unwrap();
        other.truncate(100_000);
        other[18..20].copy_from_slice(&183_u16.to_le_bytes());
        for (content, told) in [
            ("no library ".repeat(100).into_bytes(), "invalid ELF header"),
            (other, "another kind of processor"),
        ] {
            fs::write(folder.join("libcuda.so.1"), content).unwrap();
            let (object, code) = json(environment.doctor().env("LD_LIBRARY_PATH", &folder));
            let driver = finding(&object, "driver");
            if !driver["facts"]["cuda"].is_null() {
                // The loader went on to one that works.
                return;
            }
            assert_eq!(code, Some(1), "{object:#}");
            assert_eq!(driver["state"], "failure", "{driver:#}");
            let text = driver["text"].as_str().unwrap();
            assert!(
                text.contains("garbage/libcuda.so.1`") && text.contains(told),
                "{driver:#}"
            );
            assert!(
                driver["remedy"]
                    .as_str()
                    .unwrap()
                    .contains("LD_LIBRARY_PATH")
            );
        }
    }

    #[test]
    fn python_packages_beside_the_program_are_all_of_the_toolkit_that_it_needs() {
        let packages = Path::new(crate::ROOT).join("target/nvrtc/nvidia/cu13");
        if has_installed_compiler() || !packages.is_dir() {
            assert!(
                std::env::var_os("RUNNER_NEEDS_NVRTC").is_none(),
                "NVRTC is missing"
            );
            return;
        }
        let environment = Environment::new();
        environment.install(&packages);
        let (object, _) = json(&mut environment.doctor());
        for (name, file) in [("NVRTC", "lib/libnvrtc.so.13"), ("CUDA headers", "include")] {
            let part = finding(&object, name);
            assert_eq!(part["state"], "good", "{part:#}");
            assert_eq!(part["facts"]["version"], "13.0");
            let path = part["facts"]["path"].as_str().unwrap();
            assert!(path.ends_with(file), "{path}");
            assert_eq!(
                fs::canonicalize(path).unwrap(),
                fs::canonicalize(packages.join(file)).unwrap()
            );
        }
        // Products are another package, which is large: a file that opens serves as well here.
        let whole = environment.path().join("whole");
        fs::create_dir_all(whole.join("lib")).unwrap();
        symlink(packages.join("include"), whole.join("include")).unwrap();
        for name in ["libnvrtc.so.13", "libnvrtc-builtins.so.13.0"] {
            symlink(
                packages.join("lib").join(name),
                whole.join("lib").join(name),
            )
            .unwrap();
        }
        let source = environment.path().join("products.c");
        fs::write(
            &source,
            "unsigned long cublasLtGetVersion(void) { return 130002; }",
        )
        .unwrap();
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wl,-soname,libcublasLt.so.13", "-o"])
            .arg(whole.join("lib/libcublasLt.so.13"))
            .arg(&source)
            .status();
        assert!(compiled.unwrap().success());
        let environment = Environment::new();
        environment.install(&whole);
        for (version, expected) in [(13000, "good"), (12080, "failure")] {
            let driver = driver(environment.path(), version);
            let (object, code) = json(environment.doctor().env("LD_LIBRARY_PATH", driver));
            // The GPU of this driver cannot be opened.
            assert_eq!(code, Some(1));
            assert_eq!(finding(&object, "cuBLASLt")["facts"]["version"], "13.0.2");
            let findings = object["findings"].as_array().unwrap();
            let is_told = findings
                .iter()
                .any(|finding| finding["name"] == "CUDA toolkit");
            assert_eq!(is_told, expected == "failure", "{object:#}");
            let numbers = finding(&object, "cuda:0 f32");
            assert_eq!(numbers["state"], "failure");
            let told = numbers["text"].as_str().unwrap();
            let part = if is_told {
                "the driver is made for CUDA 12.8"
            } else {
                "out of memory"
            };
            assert!(told.contains(part), "{told}");
        }
    }

    /// Starts a command beside the driver that hangs, interrupts it so many times as soon as it has called the
    /// driver, and gives its exit code.
    fn interrupted(environment: &Environment, command: &mut Command, times: u32) -> Option<i32> {
        let called = environment.path().join("called");
        let driver = compiled(environment.path(), HUNG_DRIVER, 13000);
        let mut child = command
            .env("LD_LIBRARY_PATH", driver)
            .env("STUB_CALLED", &called)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let process = Pid::from_raw(child.id().try_into().unwrap());
        let start = Instant::now();
        while !called.exists() && start.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(20));
        }
        for _ in 0..times {
            kill(process, Signal::SIGINT).unwrap();
            thread::sleep(Duration::from_millis(300));
        }
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if let Some(status) = child.try_wait().unwrap() {
                return status.code();
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        None
    }

    #[test]
    fn a_library_that_ends_its_process_or_is_no_driver_is_a_finding() {
        for (code, told) in [
            (
                "#include <stdlib.h>\n__attribute__((constructor)) static void end(void) { abort(); }",
                "SIGABRT",
            ),
            (
                "#include <signal.h>\n__attribute__((constructor)) static void end(void) { raise(SIGSEGV); }",
                "SIGSEGV",
            ),
            (
                "#include <unistd.h>\n__attribute__((constructor)) static void end(void) { _exit(0); }",
                "exit status: 0",
            ),
            ("int some_function(void) { return 0; }", "Missing symbol"),
        ] {
            let environment = Environment::new();
            let driver = compiled(environment.path(), code, 13000);
            let (object, exit_code) = json(environment.doctor().env("LD_LIBRARY_PATH", driver));
            assert_eq!(exit_code, Some(1), "{object:#}");
            let found = finding(&object, "driver");
            assert_eq!(found["state"], "failure", "{found:#}");
            assert!(found["text"].as_str().unwrap().contains(told), "{found:#}");
            assert!(found["remedy"].is_string(), "{found:#}");
            // The rest of the report is there.
            assert_eq!(finding(&object, "CPU f32")["state"], "good");
            assert_eq!(finding(&object, "variables")["section"], "environment");
        }
    }

    #[test]
    fn who_interrupts_it_does_not_wait_for_a_driver_that_hangs() {
        let environment = Environment::new();
        let code = interrupted(&environment, &mut environment.doctor(), 1);
        assert_eq!(code, Some(75));
    }

    #[test]
    fn a_second_interruption_of_a_script_does_not_wait_for_such_a_driver_either() {
        let environment = Environment::new();
        let script = environment.path().join("job.rhai");
        let model = Path::new(crate::ROOT).join("examples/models/esm2_t6_2M_demo");
        let text = format!(
            "esm2({:?}, #{{ device: \"cuda\" }});",
            model.display().to_string()
        );
        fs::write(&script, text).unwrap();
        let mut command = Command::new(RUNNER);
        command.arg("exec").arg(&script);
        assert_eq!(interrupted(&environment, &mut command, 2), Some(130));
    }
}
