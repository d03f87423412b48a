//! The real Terraform with AWS's provider judges the sandbox: it stands up a platform of its own, finds nothing to
//! change, and takes it down.
//!
//! Its provider is no package of a registry that cargo knows, so it is looked for: a directory that holds
//! `registry.terraform.io/hashicorp/aws`, as `terraform providers mirror` makes it.

use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_sandbox::{Sandbox, Weather};
use wharf_tests::python::succeed;
use wharf_tests::served::Served;
use wharf_tests::stack::in_virtual_time;
use wharf_tests::{cannot_run, root, target};

/// An hour of the account passes in a few seconds.
const SPEED: f64 = 900.0;

/// Directories that mirrors are kept in, beside what `WHARF_TERRAFORM_MIRROR` says.
const ROOTS: &[&str] = &["/opt", "/usr/local/share/terraform", "/usr/share/terraform"];

fn mirror() -> Result<PathBuf, String> {
    let named = option_env!("WHARF_TERRAFORM_MIRROR").map(PathBuf::from);
    let beside = ROOTS.iter().flat_map(|root| {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
        std::iter::once(PathBuf::from(root)).chain(entries)
    });
    let found = named.into_iter().chain(beside).find(|path| path.join("registry.terraform.io/hashicorp/aws").is_dir());
    found.ok_or_else(|| {
        format!(
            "no mirror of Terraform's AWS provider in {ROOTS:?}: run `terraform providers mirror DIRECTORY` in \
             tests/terraform/platform and set WHARF_TERRAFORM_MIRROR=DIRECTORY"
        )
    })
}

fn terraform(at: &Path, endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("terraform");
    command.arg(format!("-chdir={}", at.display())).args(arguments);
    command.env("TF_CLI_CONFIG_FILE", at.join("terraform.rc")).env("TF_VAR_endpoint", endpoint);
    command.env("TF_IN_AUTOMATION", "1").env("CHECKPOINT_DISABLE", "1").env_remove("AWS_PROFILE");
    command
}

#[test]
fn terraform_applies_plans_empty_and_destroys_a_platform_of_its_own_on_the_sandbox() {
    if Command::new("terraform").arg("version").output().is_err() {
        return cannot_run("there is no `terraform` on the PATH");
    }
    let mirror = match mirror() {
        Ok(mirror) => mirror,
        Err(why) => return cannot_run(&why),
    };
    let at = target().join("terraform-platform");
    // What an earlier run left belongs to an account that is gone.
    let _ = std::fs::remove_dir_all(&at);
    std::fs::create_dir_all(&at).expect("target/ can be written");
    for entry in std::fs::read_dir(root().join("tests/terraform/platform")).expect("the HCL is there") {
        let file = entry.expect("a directory can be read");
        std::fs::copy(file.path(), at.join(file.file_name())).expect("the HCL can be copied");
    }
    let rc = format!("provider_installation {{\n  filesystem_mirror {{\n    path = {mirror:?}\n  }}\n}}\n");
    std::fs::write(at.join("terraform.rc"), rc).expect("target/ can be written");

    let served = in_virtual_time(async {
        Served::copy_of(&Sandbox::builder().seed(9).zone("example.com").weather(Weather::calm()).build(), SPEED)
    });
    let run = |arguments: &[&str]| {
        let what = format!("terraform {}", arguments.join(" "));
        succeed(&mut terraform(&at, &served.url, arguments), &what);
    };
    run(&["init", "-no-color", "-input=false"]);
    run(&["apply", "-no-color", "-input=false", "-auto-approve"]);
    assert!(served.sandbox.inventory().len() > 70, "Terraform says it is done, but little is there");
    // 0: nothing to do; 2: something to do.
    run(&["plan", "-no-color", "-input=false", "-detailed-exitcode"]);
    run(&["destroy", "-no-color", "-input=false", "-auto-approve"]);
    // The key waits for its deletion; the rest AWS made by itself for the database, and Terraform does not know of it.
    for resource in served.sandbox.inventory() {
        let pending = resource.attrs.get("KeyState").is_some_and(|state| state == "PendingDeletion");
        let by_aws = ["AWSServiceRoleFor", "RDSOSMetrics", "/aws/ecs/containerinsights/"];
        let by_aws = by_aws.iter().any(|name| resource.id.starts_with(name));
        // The lifecycle policy makes snapshots on its schedule, and Terraform knows of none.
        let scheduled = resource.kind == "ec2.snapshot";
        // It takes a task definition out of use, and AWS remembers it.
        let retired = resource.kind == "ecs.task-definition" && resource.text("status") == "INACTIVE";
        assert!(pending || by_aws || scheduled || retired, "Terraform left {} {}", resource.kind, resource.id);
    }
}
