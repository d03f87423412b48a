//! Launch templates.

use std::time::Duration;

use wharf_engine::Value;

use super::*;
use crate::aws::testing::World;

fn tags(value: &str) -> Tags {
    Tags::from([("team".to_owned(), value.to_owned())])
}

fn template() -> LaunchTemplate {
    LaunchTemplate {
        instance_type: "m7g.large".to_owned(),
        image: LaunchTemplate::ecs_image("m7g.large"),
        instance_profile: "arn:aws:iam::123456789012:instance-profile/wharf/shop/nodes".into(),
        security_groups: vec!["sg-0123456789abcdef0".into(), "sg-0123456789abcdef1".into()],
        user_data: "#!/bin/bash\necho ECS_CLUSTER=shop >> /etc/ecs/ecs.config\n".into(),
        root: RootVolume { gib: 40, kms_key: None, iops: 3000, throughput_mibs: 125 },
        metadata_hops: 1,
        detailed_monitoring: true,
        instance_tags: Tags::from([("backup".to_owned(), "daily".to_owned())]),
        tags: tags("a"),
    }
}

fn output(found: &wharf_engine::Found, name: &str) -> String {
    found.outputs.get(name).and_then(Value::as_text).unwrap_or_default()
}

fn image(found: &wharf_engine::Found) -> String {
    found.inputs.get("image").and_then(Value::as_text).unwrap_or_default()
}

#[test]
fn a_g_behind_the_generation_is_graviton() {
    for arm in ["m7g.large", "t4g.micro", "c7gn.large", "x2gd.large", "a1.large", "g5g.xlarge"] {
        assert!(is_arm(arm), "{arm}");
    }
    for other in ["m7i.large", "t3.micro", "g4dn.xlarge", "m6a.large"] {
        assert!(!is_arm(other), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_makes_a_new_version_and_never_a_new_template() {
    let world = World::calm().await;
    let made = world.create("cluster.launch-template", &template()).await;
    assert_eq!(output(&made, "version"), "1");
    let key = world.key_for("ec2.amazonaws.com").await;
    let changed = LaunchTemplate {
        instance_type: "m7g.xlarge".to_owned(),
        instance_profile: "arn:aws:iam::123456789012:instance-profile/wharf/shop/other".into(),
        security_groups: vec!["sg-0123456789abcdef2".into()],
        user_data: "#!/bin/bash\n".into(),
        root: RootVolume { gib: 60, kms_key: Some(key), iops: 4000, throughput_mibs: 250 },
        metadata_hops: 2,
        detailed_monitoring: false,
        instance_tags: tags("b"),
        tags: tags("b"),
        ..template()
    };
    let made = world.update(&made, &changed).await;
    assert_eq!(output(&made, "version"), "2");
    // Tags of the template itself need no new version.
    let made = world.update(&made, &LaunchTemplate { tags: tags("c"), ..changed }).await;
    assert_eq!(output(&made, "version"), "2");
    world.delete::<LaunchTemplate>(&made).await;
    assert!(world.sandbox.inventory().iter().all(|left| left.kind.starts_with("kms.")));
}

#[tokio::test(start_paused = true)]
async fn the_image_stays_until_a_machine_of_another_architecture_needs_another() {
    let world = World::calm().await;
    let made = world.create("cluster.launch-template", &template()).await;
    let first = image(&made);
    assert!(first.starts_with("ami-"), "{first}");
    // A newer image comes out.
    tokio::time::sleep(Duration::from_secs(30 * 24 * 60 * 60)).await;
    let larger = LaunchTemplate { instance_type: "m7g.xlarge".to_owned(), ..template() };
    let made = world.update(&made, &larger).await;
    assert_eq!(image(&made), first);
    let other = LaunchTemplate {
        instance_type: "m7i.large".to_owned(),
        image: LaunchTemplate::ecs_image("m7i.large"),
        ..template()
    };
    let made = world.update(&made, &other).await;
    assert_ne!(image(&made), first);
}

#[tokio::test(start_paused = true)]
async fn a_template_of_our_name_without_our_tags_is_foreign() {
    let world = World::calm().await;
    let data = template().data("ami-1", "other", "other").unwrap();
    let create = world.aws.ec2.create_launch_template().launch_template_name("shop-cluster-launch-template");
    world.elsewhere(create.launch_template_data(data).send()).await.unwrap();
    let id = LogicalId::new("cluster.launch-template").unwrap();
    let query = Query { wanted: [(id.clone(), template())].into(), only: None };
    let found = LaunchTemplate::find(&world.aws, &query).await.unwrap();
    assert!(matches!(found.as_slice(), [one] if one.id == id && one.identity == Identity::Foreign), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn what_must_never_be_shows_as_drift() {
    let world = World::calm().await;
    let made = world.create("cluster.launch-template", &template()).await;
    let open = |data: &mut serde_json::Map<String, serde_json::Value>| {
        let data = &mut data["_versions"][0]["launchTemplateData"];
        data["metadataOptions"]["httpTokens"] = "optional".into();
        data["blockDeviceMappingSet"][0]["ebs"]["encrypted"] = false.into();
    };
    world.sandbox.edit("ec2.launch-template", &made.physical, |data, _| open(data)).unwrap();
    let found = world.find::<LaunchTemplate>(&made.id).await.unwrap();
    let wanted = crate::aws::erased::to_fields(&template()).unwrap();
    let changes = wharf_engine::diff(LaunchTemplate::RULES, &wanted, &found);
    let fields: Vec<_> = changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["root", "metadata_hops"]);
    world.update(&found, &template()).await;
}
