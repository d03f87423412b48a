//! Where the functions' code comes from: programs for Linux, each zipped so that the same program is the same zip on any
//! machine and day. A plan would otherwise show new code where there is none.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::aws::lambda::package::{Package, Packages};
use crate::config::{Architecture, Function};

/// What Lambda runs in a zip.
const PROGRAM: &str = "bootstrap";

/// What the zip of a function may have at most, sent with the call.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const LARGEST: usize = 50 * 1024 * 1024;

/// The code of a function cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// It is nowhere.
    #[error("the code of the function {function} is not there: looked in {}", list(.looked))]
    Missing {
        /// The function.
        function: &'static str,
        /// The directories that were looked in.
        looked: Vec<PathBuf>,
        /// The processors that it is wanted for.
        architecture: Architecture,
    },
    /// It cannot be read.
    #[error("cannot read {}", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It is no zip, or cannot be made one.
    #[error("{} cannot be unzipped or zipped", .0.display())]
    Zip(PathBuf, #[source] zip::result::ZipError),
    /// The zip has no program.
    #[error("{} holds no `{PROGRAM}`", .0.display())]
    Empty(PathBuf),
    /// What is there is no program for Linux.
    #[error("{} is no program for Linux", .0.display())]
    NoProgram(PathBuf, Architecture),
    /// It is a program for other processors.
    #[error("{} is built for {is}, and the functions run on {}", .path.display(), .wanted.as_str())]
    Processors {
        /// The program, or the zip that holds it.
        path: PathBuf,
        /// What it is built for.
        is: &'static str,
        /// What is wanted.
        wanted: Architecture,
    },
    /// It is larger than Lambda takes.
    #[error("{} has {bytes} bytes zipped, and Lambda takes {LARGEST}", .path.display())]
    TooLarge {
        /// The program, or the zip that holds it.
        path: PathBuf,
        /// How much it has.
        bytes: usize,
    },
}

fn list(paths: &[PathBuf]) -> String {
    let shown: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    shown.join(", ")
}

impl PackageError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Missing { architecture, .. } => format!(
                "build the functions: `{}`; or say where they are: `[reactions] code = \"…\"` or `--functions \
                 DIRECTORY`; or do without them: `[reactions] enabled = false`. An account that `wharf sandbox` serves \
                 needs no code: `--functions sandbox`",
                build(*architecture)
            ),
            Self::NoProgram(_, architecture) => format!("build it: `{}`", build(*architecture)),
            Self::Processors { is, wanted, .. } => {
                let other = [Architecture::Arm64, Architecture::X86].into_iter().find(|one| one.as_str() == *is);
                match other {
                    Some(other) => format!(
                        "build it: `{}`; or write `[reactions] architecture = \"{}\"`",
                        build(*wanted),
                        other.as_str()
                    ),
                    None => format!("build it: `{}`", build(*wanted)),
                }
            }
            Self::TooLarge { .. } => "build it with `--release`, which strips what it does not need".to_owned(),
            Self::Unreadable(..) | Self::Zip(..) | Self::Empty(_) => "build it again".to_owned(),
        }
    }
}

/// The command that builds the functions.
fn build(architecture: Architecture) -> String {
    let processors = match architecture {
        Architecture::Arm64 => "--arm64",
        Architecture::X86 => "--x86-64",
    };
    let crates: Vec<String> = Function::ALL.iter().map(|function| format!("-p wharf-{}", function.name())).collect();
    format!("cargo lambda build --profile function {processors} {}", crates.join(" "))
}

/// The code of these functions, each from the first of the directories that has it: as `NAME/bootstrap.zip`, `NAME.zip`,
/// `NAME/bootstrap` or `NAME`.
///
/// # Errors
/// One cannot be had.
pub fn find(
    directories: &[PathBuf],
    functions: &[Function],
    architecture: Architecture,
) -> Result<Packages, PackageError> {
    let one = |function: &Function| {
        let name = function.name();
        let places = directories.iter().flat_map(|directory| places(directory, name));
        let Some(path) = places.into_iter().find(|path| path.is_file()) else {
            return Err(PackageError::Missing { function: name, looked: directories.to_vec(), architecture });
        };
        Ok((name.to_owned(), package(&path, architecture)?))
    };
    functions.iter().map(one).collect()
}

fn places(directory: &Path, name: &str) -> [PathBuf; 4] {
    let own = directory.join(name);
    [own.join("bootstrap.zip"), directory.join(format!("{name}.zip")), own.join(PROGRAM), own]
}

/// The package of the program at this path, or of the zip that holds it.
fn package(path: &Path, architecture: Architecture) -> Result<Package, PackageError> {
    let bytes = std::fs::read(path).map_err(|error| PackageError::Unreadable(path.to_owned(), error))?;
    let files = match path.extension().is_some_and(|extension| extension == "zip") {
        true => unzipped(bytes).map_err(|error| PackageError::Zip(path.to_owned(), error))?,
        false => vec![(PROGRAM.to_owned(), bytes)],
    };
    let program = files.iter().find(|(name, _)| name == PROGRAM);
    let (_, program) = program.ok_or_else(|| PackageError::Empty(path.to_owned()))?;
    match processors(program) {
        Some(is) if is == architecture.as_str() => {}
        Some(is) => return Err(PackageError::Processors { path: path.to_owned(), is, wanted: architecture }),
        None => return Err(PackageError::NoProgram(path.to_owned(), architecture)),
    }
    let zip = zipped(files).map_err(|error| PackageError::Zip(path.to_owned(), error))?;
    if zip.len() > LARGEST {
        return Err(PackageError::TooLarge { path: path.to_owned(), bytes: zip.len() });
    }
    Ok(Package::new(zip))
}

/// What a program is built for, by the header of its ELF file; none for what is none.
/// <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>
fn processors(program: &[u8]) -> Option<&'static str> {
    let (magic, machine) = (program.get(..4)?, program.get(18..20)?);
    let machine = u16::from_le_bytes([machine[0], machine[1]]);
    (magic == b"\x7fELF").then_some(match machine {
        0xb7 => Architecture::Arm64.as_str(),
        0x3e => Architecture::X86.as_str(),
        _ => "other processors",
    })
}

fn unzipped(bytes: Vec<u8>) -> zip::result::ZipResult<Vec<(String, Vec<u8>)>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))?;
    let mut files = Vec::new();
    for number in 0..archive.len() {
        let mut file = archive.by_index(number)?;
        if file.is_file() {
            let (name, mut contents) = (file.name()?.into_owned(), Vec::new());
            file.read_to_end(&mut contents)?;
            files.push((name, contents));
        }
    }
    Ok(files)
}

/// A zip in which nothing tells when and where it was made: files by name, all of the same time, all may be run.
fn zipped(mut files: Vec<(String, Vec<u8>)>) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(0o755);
    files.sort();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, contents) in files {
        zip.start_file(name, options)?;
        zip.write_all(&contents)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// What an account of the sandbox is given in place of code, which nothing there runs.
///
/// # Errors
/// It cannot be zipped.
pub fn stand_ins() -> zip::result::ZipResult<Packages> {
    let one = |function: &Function| {
        let name = function.name();
        let program = format!(
            "#!/bin/sh\necho 'This stands in for the code of {name}: in the sandbox of wharf, wharf itself runs it. It \
             does nothing, and is not meant for AWS.' >&2\nexit 1\n"
        );
        Ok((name.to_owned(), Package::new(zipped(vec![(PROGRAM.to_owned(), program.into_bytes())])?)))
    };
    Function::ALL.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that is a program: the header's first bytes, and something behind them.
    fn program(machine: u16) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(18, 0);
        bytes.extend(machine.to_le_bytes());
        bytes.extend(b"code".repeat(100));
        bytes
    }

    const ARM: u16 = 0xb7;
    const INTEL: u16 = 0x3e;

    fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        directory
    }

    fn found(directory: &tempfile::TempDir) -> Result<Packages, PackageError> {
        find(&[directory.path().to_owned()], &[Function::OnAlarm], Architecture::Arm64)
    }

    fn digest(directory: &tempfile::TempDir) -> String {
        found(directory).unwrap().of("on-alarm").unwrap().digest().to_owned()
    }

    /// A zip as a build of some day makes it.
    fn dated(files: &[(&str, &[u8])], year: u16) -> Vec<u8> {
        let at = DateTime::from_date_and_time(year, 2, 3, 4, 5, 6).unwrap();
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, contents) in files {
            let options = SimpleFileOptions::default().last_modified_time(at).unix_permissions(0o700);
            zip.start_file(*name, options).unwrap();
            zip.write_all(contents).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[test]
    fn one_program_is_one_package_wherever_it_lies_and_whenever_it_was_zipped() {
        let arm = program(ARM);
        let wanted = digest(&directory(&[("on-alarm/bootstrap", &arm)]));
        for (name, contents) in [
            ("on-alarm", arm.clone()),
            ("on-alarm/bootstrap.zip", dated(&[("bootstrap", &arm)], 2024)),
            ("on-alarm.zip", dated(&[("bootstrap", &arm)], 2026)),
        ] {
            assert_eq!(digest(&directory(&[(name, &contents)])), wanted, "{name}");
        }
        let other = program(ARM).into_iter().chain([0]).collect::<Vec<u8>>();
        assert_ne!(digest(&directory(&[("on-alarm", &other)])), wanted);
    }

    #[test]
    fn the_order_of_files_in_a_zip_means_nothing() {
        let arm = program(ARM);
        let (one, other) =
            (dated(&[("a", b"1"), ("bootstrap", &arm)], 2024), dated(&[("bootstrap", &arm), ("a", b"1")], 2025));
        let digests = [one, other].map(|zip| digest(&directory(&[("on-alarm.zip", &zip)])));
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn what_was_zipped_can_be_run() {
        let package = found(&directory(&[("on-alarm", &program(ARM))])).unwrap();
        let zip = package.of("on-alarm").unwrap().zip().to_vec();
        let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
        assert_eq!(archive.by_name("bootstrap").unwrap().unix_mode().map(|mode| mode & 0o777), Some(0o755));
    }

    #[test]
    fn the_first_directory_that_has_it_counts() {
        let (first, second) = (directory(&[]), directory(&[("on-alarm", &program(ARM))]));
        let both = [first.path().to_owned(), second.path().to_owned()];
        assert!(find(&both, &[Function::OnAlarm], Architecture::Arm64).is_ok());
    }

    #[test]
    fn what_is_missing_says_how_to_build_it_and_how_to_do_without() {
        let error = find(&["/nowhere".into()], &Function::ALL, Architecture::Arm64).unwrap_err();
        assert_eq!(error.to_string(), "the code of the function on-image-push is not there: looked in /nowhere");
        let hint = error.hint();
        assert!(
            hint.contains(
                "`cargo lambda build --profile function --arm64 -p wharf-on-image-push -p wharf-on-alarm -p wharf-check-snapshots`"
            ),
            "{hint}"
        );
        assert!(hint.contains("`[reactions] enabled = false`"), "{hint}");
        assert!(hint.contains("`--functions sandbox`"), "{hint}");
    }

    #[test]
    fn a_program_for_other_processors_is_found_before_it_is_deployed() {
        let error = found(&directory(&[("on-alarm", &program(INTEL))])).unwrap_err();
        assert!(error.to_string().ends_with("is built for x86_64, and the functions run on arm64"), "{error}");
        assert!(error.hint().contains("`[reactions] architecture = \"x86_64\"`"), "{}", error.hint());
        let riscv = found(&directory(&[("on-alarm", &program(0xf3))])).unwrap_err();
        assert!(riscv.to_string().contains("is built for other processors"), "{riscv}");
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let script = found(&directory(&[("on-alarm", b"#!/bin/sh\nexit 0\n")])).unwrap_err();
        assert!(matches!(script, PackageError::NoProgram(..)), "{script}");
        let empty = found(&directory(&[("on-alarm.zip", &dated(&[("main", &program(ARM))], 2024))])).unwrap_err();
        assert!(matches!(empty, PackageError::Empty(_)), "{empty}");
        let broken = found(&directory(&[("on-alarm.zip", b"PK")])).unwrap_err();
        assert!(matches!(broken, PackageError::Zip(..)), "{broken}");
    }

    #[test]
    fn what_stands_in_for_code_says_so_and_is_the_same_each_time() {
        let packages = stand_ins().unwrap();
        assert_eq!(packages, stand_ins().unwrap());
        let zip = packages.of("on-image-push").unwrap().zip().to_vec();
        let mut archive = ZipArchive::new(Cursor::new(zip)).unwrap();
        let mut text = String::new();
        archive.by_name("bootstrap").unwrap().read_to_string(&mut text).unwrap();
        assert!(text.contains("wharf itself runs it"), "{text}");
    }
}
