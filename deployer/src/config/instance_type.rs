//! What EC2 instance types have, as far as their names say: enough to know which tasks fit.

use super::cluster::Architecture;
use super::format::{Fault, wrong};

/// What an instance has for tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// In ECS's units, 1024 to a vCPU.
    pub cpu_units: u32,
    /// What ECS has left for tasks, in MiB.
    pub memory_mib: u32,
    /// Network interfaces, its own among them.
    pub interfaces: u32,
    /// How many tasks have an interface with trunking; none: the type has no trunking.
    pub trunked_tasks: Option<u32>,
}

/// A type's name taken apart: `m7g.large` is class `m`, generation 7, attributes `g`, size `large`.
struct Name<'a> {
    class: &'a str,
    generation: u32,
    attributes: &'a str,
    size: &'a str,
}

fn name(text: &str) -> Option<Name<'_>> {
    let (family, size) = text.split_once('.')?;
    let digits = family.find(|c: char| c.is_ascii_digit())?;
    let (class, rest) = family.split_at(digits);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (generation, attributes) = rest.split_at(end);
    let word = |text: &str, more: &str| {
        text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || more.as_bytes().contains(&b))
    };
    let well = !class.is_empty() && !size.is_empty() && word(class, "-") && word(attributes, "-") && word(size, "-");
    well.then_some(Name { class, generation: generation.parse().ok()?, attributes, size })
}

/// The rule of the text.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>
pub(super) fn check(text: &str) -> Result<(), Fault> {
    let instead = "write one such as `m7g.large` (arm64) or `m7i.large` (x86_64)";
    if let Some(rest) = text.strip_prefix("db.") {
        return wrong("is a class of RDS, not of EC2", format!("write `{rest}`"));
    }
    match name(text) {
        None => wrong("is not an instance type", instead),
        Some(name) if name.class == "mac" => wrong("is a Mac, on which no containers run", instead),
        Some(name) if ["t", "m", "c", "r"].contains(&name.class) && !size_exists(&name) => {
            wrong(format!("has no such size: `{}`", name.size), instead)
        }
        Some(_) => Ok(()),
    }
}

fn size_exists(name: &Name<'_>) -> bool {
    name.size.starts_with("metal") || vcpus(name).is_some()
}

/// Processors by the name: Graviton's types have a `g` among the attributes; `a1` was the first of them.
pub(super) fn architecture(text: &str) -> Architecture {
    match name(text) {
        Some(name) if name.attributes.contains('g') || (name.class, name.generation) == ("a", 1) => Architecture::Arm64,
        _ => Architecture::X86,
    }
}

/// The general, compute and memory classes and the burstable one, from their fifth (third) generation on.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-types.html>
pub(super) fn spec(text: &str) -> Option<Spec> {
    let name = name(text)?;
    let vcpus = vcpus(&name)?;
    let burstable = name.class == "t";
    let memory_mib = match (name.class, name.size) {
        ("t", "nano") => 512,
        ("t", "micro") => 1024,
        ("t", "small") => 2048,
        ("t", "medium") => 4096,
        ("t" | "m", _) => vcpus * 4096,
        ("c", _) => vcpus * 2048,
        ("r", _) => vcpus * 8192,
        _ => return None,
    };
    let (interfaces, trunked) = interfaces(name.size, vcpus);
    Some(Spec {
        cpu_units: vcpus * 1024,
        // The kernel and the agent keep the rest.
        // <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/memory-management.html>
        memory_mib: memory_mib / 100 * 93,
        interfaces,
        trunked_tasks: (!burstable).then_some(trunked),
    })
}

fn vcpus(name: &Name<'_>) -> Option<u32> {
    let oldest = match name.class {
        "t" => 3,
        "m" | "c" | "r" => 5,
        _ => return None,
    };
    if name.generation < oldest {
        return None;
    }
    match (name.class, name.size) {
        ("t", "nano" | "micro" | "small" | "medium") => Some(2),
        (_, "medium") => Some(1),
        (_, "large") => Some(2),
        (_, "xlarge") => Some(4),
        (_, size) => {
            let times = size.strip_suffix("xlarge")?.parse::<u32>().ok()?;
            (2..=96).contains(&times).then_some(times * 4)
        }
    }
}

/// Interfaces without trunking, and tasks with it.
/// <https://docs.aws.amazon.com/ec2/latest/instancetypes/gp.html#gp_network>,
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/eni-trunking-supported-instance-types.html>
fn interfaces(size: &str, vcpus: u32) -> (u32, u32) {
    match (size, vcpus) {
        ("nano" | "micro", _) => (2, 0),
        ("small", _) => (3, 0),
        ("medium", 1) => (2, 4),
        (_, ..=2) => (3, 10),
        (_, ..=4) => (4, 20),
        (_, ..=8) => (4, 40),
        (_, ..=48) => (8, 60),
        _ => (15, 120),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_types_name_says_its_processors() {
        for (types, processors) in [
            (["m7g.large", "t4g.small", "c7gn.xlarge", "a1.large"], Architecture::Arm64),
            (["m7i.large", "t3.small", "g5.xlarge", "c6in.large"], Architecture::X86),
        ] {
            assert!(types.iter().all(|name| architecture(name) == processors), "{types:?}");
        }
    }

    #[test]
    fn what_a_type_has_is_what_aws_documents() {
        let large = spec("m7g.large").unwrap();
        assert_eq!((large.cpu_units, large.interfaces, large.trunked_tasks), (2048, 3, Some(10)));
        assert!((7400..8192).contains(&large.memory_mib));
        let burstable = spec("t3.medium").unwrap();
        assert_eq!((burstable.cpu_units, burstable.interfaces, burstable.trunked_tasks), (2048, 3, None));
        assert_eq!(spec("c6i.4xlarge").map(|spec| (spec.cpu_units, spec.interfaces)), Some((16384, 8)));
        assert_eq!(spec("r6g.16xlarge").map(|spec| spec.trunked_tasks), Some(Some(120)));
        assert!(spec("p5.48xlarge").is_none());
    }

    #[test]
    fn what_is_no_type_is_told_from_what_is_not_known() {
        assert!(check("p5.48xlarge").is_ok());
        assert!(check("m7g.metal").is_ok());
        for wrong in ["large", "m7g", "m7g.", "m7g.huge", "db.m7g.large", "mac2.metal", "M7g.large"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
