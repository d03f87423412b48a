//! Tags: the user's, and the three that are a resource's identity.

use std::collections::BTreeMap;

use wharf_engine::{Generation, Identity, LogicalId};

/// The user's tags on a resource: key to value. Identity tags are not among them.
pub type Tags = BTreeMap<String, String>;

/// The tag that names the stack.
pub const STACK: &str = "wharf:stack";
/// The tag that names the logical id.
pub const ID: &str = "wharf:id";
/// The tag that names the generation.
pub const GENERATION: &str = "wharf:gen";
/// The tag that the AWS console shows as a name; Wharf writes it, and leaves it alone afterwards.
const NAME: &str = "Name";

/// The tags that make a resource the stack's.
#[must_use]
pub fn identity(stack: &str, id: &LogicalId, generation: Option<&Generation>) -> Tags {
    let mut tags = Tags::from([(STACK.to_owned(), stack.to_owned()), (ID.to_owned(), id.to_string())]);
    if let Some(generation) = generation {
        tags.insert(GENERATION.to_owned(), generation.to_string());
    }
    tags
}

/// The identity and the user's tags of a new resource, with a name for the console.
#[must_use]
pub fn for_new(stack: &str, id: &LogicalId, generation: &Generation, user: &Tags) -> Tags {
    let mut tags = identity(stack, id, Some(generation));
    tags.insert(NAME.to_owned(), format!("{stack}-{}", id.as_str().replace('.', "-")));
    tags.extend(user.iter().map(|(key, value)| (key.clone(), value.clone())));
    tags
}

/// The logical id and identity that these tags state for `stack`; none when they do not name the stack.
#[must_use]
pub fn read(stack: &str, tags: &Tags) -> Option<(LogicalId, Identity)> {
    if tags.get(STACK).map(String::as_str) != Some(stack) {
        return None;
    }
    let id = LogicalId::new(tags.get(ID)?.clone()).ok()?;
    Some((id, Identity::Ours(tags.get(GENERATION).map(Generation::from_tag))))
}

/// The tags without identity, name and those that AWS writes itself.
#[must_use]
pub fn user(tags: &Tags) -> Tags {
    let own = |key: &str| key.starts_with("wharf:") || key.starts_with("aws:") || key == NAME;
    tags.iter().filter(|(key, _)| !own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What turns the tags `now` into `to`: those to write, and the keys to take off.
#[must_use]
pub fn difference(now: &Tags, to: &Tags) -> (Tags, Vec<String>) {
    let write = to.iter().filter(|(key, value)| now.get(*key) != Some(*value));
    let take_off = now.keys().filter(|key| !to.contains_key(*key));
    (write.map(|(key, value)| (key.clone(), value.clone())).collect(), take_off.cloned().collect())
}
