//! What an image does when it runs: no code is, so somebody has to say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::account::Ctx;

const KIND: &str = "ecs.image-behaviour";

/// What the containers of an image do. By default they start, serve `200` on every path of every port of their task
/// definition, and go on for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// They exit with this code, so many seconds after they started.
    pub exits: Option<(i32, u64)>,
    /// Paths that they serve with another status than 200, on every port.
    pub paths: BTreeMap<String, u16>,
    /// They listen on no port at all.
    pub silent: bool,
    /// Their container health check fails.
    pub unhealthy: bool,
    /// They go on when they are told to stop, and are killed when their stop timeout is over.
    pub deaf: bool,
    /// Lines that they print when they start.
    pub prints: Vec<String>,
    /// What they do instead when they are started with this command (its words with spaces between), as a migration is.
    pub commands: BTreeMap<String, Behaviour>,
}

/// Says what an image does. `image` is a digest, a tag or the whole reference of a container definition.
pub(crate) fn put(ctx: &mut Ctx<'_>, image: &str, behaviour: &Behaviour) {
    let mut object = ctx.resource(KIND, image, kept(behaviour));
    object.set("_initial", true);
    ctx.insert(object);
}

fn kept(behaviour: &Behaviour) -> Value {
    let commands = behaviour.commands.iter().map(|(command, behaviour)| (command.clone(), kept(behaviour)));
    json!({
        "exit": behaviour.exits.map(|(code, _)| code),
        "after": behaviour.exits.map(|(_, after)| after),
        "paths": behaviour.paths,
        "silent": behaviour.silent,
        "unhealthy": behaviour.unhealthy,
        "deaf": behaviour.deaf,
        "prints": behaviour.prints,
        "commands": commands.collect::<serde_json::Map<_, _>>(),
    })
}

/// What an image does when it is started with a command, if it is with another than its own. The image is known by its
/// whole reference, its digest or its tag.
pub(super) fn of(ctx: &Ctx<'_>, image: &str, digest: &str, command: Option<&str>) -> Behaviour {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let names: &[&str] = &[image, digest, tag];
    let Some(found) = names.iter().filter(|key| !key.is_empty()).find_map(|key| ctx.get(KIND, key)) else {
        return Behaviour::default();
    };
    let whole = Value::Object(found.attrs.clone());
    let special = command.and_then(|command| whole["commands"].get(command));
    read(special.unwrap_or(&whole))
}

fn read(kept: &Value) -> Behaviour {
    let exit = kept["exit"].as_i64().and_then(|code| i32::try_from(code).ok());
    let after = kept["after"].as_u64().unwrap_or(0);
    let entries = |name: &str| kept[name].as_object().cloned().unwrap_or_default();
    let status = |value: Value| value.as_u64().and_then(|status| u16::try_from(status).ok());
    Behaviour {
        exits: exit.map(|code| (code, after)),
        paths: entries("paths").into_iter().filter_map(|(path, value)| Some((path, status(value)?))).collect(),
        silent: kept["silent"] == true,
        unhealthy: kept["unhealthy"] == true,
        deaf: kept["deaf"] == true,
        prints: kept["prints"].as_array().into_iter().flatten().filter_map(|l| l.as_str().map(str::to_owned)).collect(),
        commands: entries("commands").iter().map(|(command, kept)| (command.clone(), read(kept))).collect(),
    }
}
