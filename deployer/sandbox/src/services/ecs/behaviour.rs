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
    /// Lines that they print when they start.
    pub prints: Vec<String>,
}

/// Says what an image does. `image` is a digest, a tag or the whole reference of a container definition.
pub(crate) fn put(ctx: &mut Ctx<'_>, image: &str, behaviour: &Behaviour) {
    let object = ctx.resource(
        KIND,
        image,
        json!({
            "_initial": true,
            "exit": behaviour.exits.map(|(code, _)| code),
            "after": behaviour.exits.map(|(_, after)| after),
            "paths": behaviour.paths,
            "silent": behaviour.silent,
            "unhealthy": behaviour.unhealthy,
            "prints": behaviour.prints,
        }),
    );
    ctx.insert(object);
}

/// What an image does, known by its whole reference, its digest or its tag.
pub(super) fn of(ctx: &Ctx<'_>, image: &str, digest: &str) -> Behaviour {
    let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
    let by_command: &[&str] = &[image, digest, tag];
    let Some(found) = by_command.iter().filter(|key| !key.is_empty()).find_map(|key| ctx.get(KIND, key)) else {
        return Behaviour::default();
    };
    let exit = found.attrs["exit"].as_i64().and_then(|code| i32::try_from(code).ok());
    let after = found.attrs["after"].as_u64().unwrap_or(0);
    let paths = found.attrs["paths"].as_object().cloned().unwrap_or_default();
    let status = |value: Value| value.as_u64().and_then(|status| u16::try_from(status).ok());
    Behaviour {
        exits: exit.map(|code| (code, after)),
        paths: paths.into_iter().filter_map(|(path, value)| Some((path, status(value)?))).collect(),
        silent: found.flag("silent"),
        unhealthy: found.flag("unhealthy"),
        prints: found.items("prints").iter().filter_map(|line| line.as_str().map(str::to_owned)).collect(),
    }
}
