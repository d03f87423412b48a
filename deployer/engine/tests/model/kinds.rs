//! Kinds for tests, and stacks of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use wharf_engine::{Compare, Estimate, Field, LogicalId, Order, Owner, Reference, Resource, Rules, Stack, Value};

const FIELDS: &[Field] = &[
    Field::new("shape").replaces(),
    Field::new("uses").replaces().compared(Compare::Set),
    Field::new("size"),
    Field::new("links").compared(Compare::Set),
    Field::new("doors").compared(Compare::Set).overlaps(&["for"]),
    Field::new("tags").owned_by(Owner::Shared),
    Field::new("count").owned_by(Owner::Autoscaler),
];

const fn kind(kind: &'static str, order: Order, estimate: Estimate) -> Rules {
    Rules { kind, fields: FIELDS, order, protected: false, visible_within: Duration::from_secs(10), estimate }
}

/// A kind whose names end in the generation.
pub(crate) static NAMED: Rules = kind("model.named", Order::CreateFirst, Estimate::seconds(1, 1, 1));
/// A kind whose name is the logical id, so that there can be one only.
pub(crate) static UNIQUE: Rules = kind("model.unique", Order::DeleteFirst, Estimate::seconds(2, 1, 2));
/// A kind without a name, so that a lost reply can make two.
pub(crate) static NAMELESS: Rules = kind("model.nameless", Order::CreateFirst, Estimate::seconds(1, 1, 1));
/// A kind that takes its time.
pub(crate) static SLOW: Rules = kind("model.slow", Order::CreateFirst, Estimate::seconds(300, 60, 90));

pub(crate) const KINDS: [&Rules; 4] = [&NAMED, &UNIQUE, &NAMELESS, &SLOW];

/// One resource of a generated stack.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: usize,
    pub(crate) shape: i64,
    pub(crate) size: i64,
    pub(crate) uses: u16,
    pub(crate) links: u16,
    pub(crate) after: u16,
    pub(crate) tag: Option<u8>,
    pub(crate) present: bool,
}

/// A generated stack: resource n may need those before it, or, when `reversed`, those after it.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) nodes: Vec<Node>,
    pub(crate) reversed: bool,
}

/// Stacks of up to so many resources, of all kinds or only of those that are replaced create-first.
pub(crate) fn specs(most: usize, all_kinds: bool) -> impl Strategy<Value = Spec> {
    let node = (0..KINDS.len(), 0..3_i64, 0..3_i64, any::<u16>(), any::<u16>(), any::<u16>(), 0..4_u8, 0..4_u8);
    let node = node.prop_map(move |(kind, shape, size, uses, links, after, tag, present)| Node {
        kind: if all_kinds || KINDS[kind].order == Order::CreateFirst { kind } else { 0 },
        shape,
        size,
        // Sparse edges: two random masks at once.
        uses: uses & uses.rotate_left(5),
        links: links & links.rotate_left(7),
        after: after & after.rotate_left(3) & uses,
        tag: (tag > 0).then_some(tag),
        present: present > 0,
    });
    (proptest::collection::vec(node, 0..=most), any::<bool>()).prop_map(|(nodes, reversed)| Spec { nodes, reversed })
}

pub(crate) fn id(number: usize) -> LogicalId {
    LogicalId::new(format!("r{number}")).unwrap()
}

pub(crate) fn reference(target: LogicalId) -> Value {
    Value::Ref(Reference { id: target, output: "id".to_owned() })
}

impl Spec {
    pub(crate) fn stack(&self) -> Stack {
        let present: BTreeSet<usize> = (0..self.nodes.len()).filter(|&n| self.nodes[n].present).collect();
        let resource = |number: usize| {
            let node = &self.nodes[number];
            let targets = |mask: u16| -> Vec<usize> {
                let before = |&&other: &&usize| if self.reversed { other > number } else { other < number };
                present.iter().filter(before).filter(|&&other| mask >> other & 1 == 1).copied().collect()
            };
            let list = |mask| Value::List(targets(mask).into_iter().map(|n| reference(id(n))).collect());
            let door = |whom: &str, port| {
                Value::Map(
                    [("for", Value::text(whom)), ("port", Value::Int(port))].map(|(k, v)| (k.to_owned(), v)).into(),
                )
            };
            let tags = node.tag.map(|tag| (format!("t{tag}"), Value::text("ours")));
            let inputs = BTreeMap::from([
                ("shape".to_owned(), Value::Int(node.shape)),
                ("size".to_owned(), Value::Int(node.size)),
                ("uses".to_owned(), list(node.uses)),
                ("links".to_owned(), list(node.links & !node.uses)),
                ("doors".to_owned(), Value::List(vec![door("guests", node.size), door("cats", node.shape)])),
                ("tags".to_owned(), Value::Map(tags.into_iter().collect())),
                ("count".to_owned(), Value::Int(1)),
            ]);
            let after = targets(node.after).into_iter().map(id).collect();
            Resource { id: id(number), rules: KINDS[node.kind], inputs, after }
        };
        Stack { resources: present.iter().map(|&number| (id(number), resource(number))).collect() }
    }
}
