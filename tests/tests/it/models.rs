//! What goes over the wire, held against AWS's own service models: the sandbox and Wharf may not share a misconception.

use wharf_sandbox::Sandbox;
use wharf_tests::stack::{World, in_virtual_time, whole_config};
use wharf_tests::{python, target};

/// Takes back what only the stack's own runs may change.
fn drift(sandbox: &Sandbox) {
    let group = sandbox.inventory().into_iter().find(|resource| resource.kind == "logs.group").expect("a log group");
    sandbox
        .edit(group.kind, &group.id, |attrs, _| drop(attrs.insert("retentionInDays".to_owned(), 1.into())))
        .expect("the group is there");
}

#[test]
fn every_request_and_response_of_a_stacks_life_is_valid_by_awss_service_models() {
    let sandbox = in_virtual_time(async {
        let mut world = World::new(5, whole_config());
        world.final_snapshot = false;
        world.sandbox.record();
        assert!(world.apply().await.expect("the stack can be applied").complete());
        world.config.database.as_mut().expect("it has a database").backup_days += 7;
        world.config.services.get_mut("web").expect("it has the application").port = Some(8080);
        assert!(world.apply().await.expect("the stack can be changed").complete());
        drift(&world.sandbox);
        assert!(world.apply().await.expect("the drift can be mended").complete());
        assert!(world.destroy().await.expect("the stack can be destroyed").complete());
        world.sandbox
    });
    let recording = target().join("models.jsonl");
    sandbox.write_recording(&recording).expect("target/ can be written");
    let said = python::script("models.py", &[&recording.to_string_lossy()]);
    let exchanges = sandbox.recording().len();
    assert!(exchanges > 300, "only {exchanges} exchanges were recorded");
    assert!(said.contains(&format!("\"exchanges\": {exchanges}")), "{said}");
}
