//! An account in memory, with the weather that real ones have. It judges too: what a sound engine never does panics.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use wharf_engine::{
    Call, Class, Failure, Found, Generation, Health, Identity, Inputs, LogicalId, Op, Order, Outputs, Reply, Rules,
    Stack, Value, World,
};

/// Numbers from a seed (splitmix64).
#[derive(Clone, Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    pub(crate) fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }
}

/// How unkind the account is, in percent of all calls.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    /// Refused for now, without effect.
    pub(crate) refused: u64,
    /// No reply, before or after the effect.
    pub(crate) lost: u64,
    /// How long new things and changes can stay unseen.
    pub(crate) stale: Duration,
    /// New things that never become usable.
    pub(crate) failing: u64,
}

pub(crate) const CALM: Weather = Weather { refused: 0, lost: 0, stale: Duration::ZERO, failing: 0 };
pub(crate) const STORM: Weather = Weather { refused: 15, lost: 15, stale: Duration::from_secs(5), failing: 3 };

#[derive(Clone, Debug)]
pub(crate) struct Object {
    pub(crate) physical: String,
    pub(crate) id: LogicalId,
    pub(crate) rules: &'static Rules,
    pub(crate) generation: Generation,
    pub(crate) inputs: Inputs,
    seen_inputs: Inputs,
    changed_seen_at: Duration,
    seen_at: Duration,
    ready_at: Duration,
    gone_at: Option<Duration>,
    failed: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) now: Duration,
    pub(crate) objects: Vec<Object>,
    pub(crate) dice: Dice,
    pub(crate) weather: Weather,
    /// Judge the order of every call: only where nothing can have been made or lost unseen.
    pub(crate) strict: bool,
    /// Of these, others may hold the old one in place while it goes: they are replaced delete-first.
    pub(crate) goes_first: BTreeSet<LogicalId>,
    /// The kind and the generation in which each resource is wanted.
    wanted: BTreeMap<LogicalId, (&'static str, Generation)>,
    next: u32,
}

impl Account {
    pub(crate) fn new(seed: u64) -> Self {
        let (now, objects, dice) = (Duration::ZERO, Vec::new(), Dice(seed));
        Self {
            now,
            objects,
            dice,
            weather: CALM,
            strict: true,
            goes_first: BTreeSet::new(),
            wanted: BTreeMap::new(),
            next: 0,
        }
    }

    /// Tells the judge which stack is being applied.
    pub(crate) fn expect(&mut self, stack: &Stack) {
        let goes_first = stack.resources.values().any(|resource| resource.rules.order == Order::DeleteFirst)
            || self.objects.iter().any(|object| object.rules.order == Order::DeleteFirst || object.failed)
            || self.weather.failing > 0;
        let generations = wharf_engine::generations(stack).unwrap();
        let wanted = generations.into_iter().map(|(id, wanted)| (stack.resources[&id].rules.kind, wanted, id));
        self.wanted = wanted.map(|(kind, wanted, id)| (id, (kind, wanted))).collect();
        self.goes_first =
            if goes_first { self.objects.iter().map(|o| o.id.clone()).collect() } else { BTreeSet::new() };
    }

    pub(crate) fn advance(&mut self, to: Duration) {
        self.now = self.now.max(to);
        let now = self.now;
        self.objects.retain(|object| object.gone_at.is_none_or(|at| at > now));
    }

    pub(crate) fn sweep(&mut self) -> World {
        let mut found: Vec<Found> =
            self.objects.iter().filter(|o| o.seen_at <= self.now).map(|o| self.see(o)).collect();
        for place in (1..found.len()).rev() {
            let other = usize::try_from(self.dice.roll(place as u64 + 1)).unwrap();
            found.swap(place, other);
        }
        World { found }
    }

    fn see(&self, object: &Object) -> Found {
        let inputs = if object.changed_seen_at <= self.now { &object.inputs } else { &object.seen_inputs };
        let mut inputs = inputs.clone();
        for field in ["uses", "links"] {
            if let Some(Value::List(items)) = inputs.get_mut(field) {
                items.reverse();
            }
        }
        let health = match object.gone_at {
            Some(_) => Health::Deleting,
            None if object.failed => Health::Failed("gave up".to_owned()),
            None if object.ready_at > self.now => Health::Settling("creating".to_owned()),
            None => Health::Ready,
        };
        Found {
            id: object.id.clone(),
            rules: object.rules,
            physical: object.physical.clone(),
            identity: Identity::Ours(Some(object.generation.clone())),
            health,
            inputs,
            outputs: outputs(&object.physical),
            blockers: BTreeSet::new(),
        }
    }

    /// Carries an operation out, or does not, and replies, or does not.
    pub(crate) fn handle(&mut self, op: &Op) -> Result<Reply, Failure> {
        let passing = [Class::Throttled, Class::Busy, Class::NotYetVisible];
        if self.dice.percent(self.weather.refused) {
            let class = if matches!(op.call, Call::Read { .. }) { 0 } else { self.dice.roll(3) };
            return fail(passing[usize::try_from(class).unwrap()], "weather");
        }
        let lost = self.dice.percent(self.weather.lost);
        if lost && self.dice.percent(50) {
            return fail(Class::Ambiguous, "lost on the way");
        }
        let result = self.carry_out(op);
        if lost { fail(Class::Ambiguous, "lost on the way back") } else { result }
    }

    fn carry_out(&mut self, op: &Op) -> Result<Reply, Failure> {
        match &op.call {
            Call::Create { inputs, generation } => self.create(op, inputs, generation),
            Call::Update { found, inputs, .. } => self.update(&found.physical, inputs),
            Call::Adopt { .. } => unreachable!("nothing foreign is in this account"),
            Call::Delete { found } => self.delete(&found.physical),
            Call::Read { physical } => {
                let asked = |object: &&Object| {
                    object.id == op.logical && physical.as_ref().is_none_or(|physical| object.physical == *physical)
                };
                let seen = self.objects.iter().filter(asked).filter(|object| object.seen_at <= self.now);
                Ok(Reply::Read(seen.map(|object| self.see(object)).collect()))
            }
        }
    }

    fn create(&mut self, op: &Op, inputs: &Inputs, generation: &Generation) -> Result<Reply, Failure> {
        self.check_references(inputs);
        let rules = super::kinds::KINDS.into_iter().find(|rules| rules.kind == op.kind).unwrap();
        let same_name = |object: &&Object| {
            let same_id = object.id == op.logical && object.rules.kind == op.kind;
            match op.kind {
                "model.unique" => same_id,
                "model.named" => same_id && object.generation == *generation,
                _ => false,
            }
        };
        if let Some(object) = self.objects.iter().find(same_name) {
            return fail(Class::Exists, &object.physical);
        }
        if self.strict {
            let twin = self.objects.iter().find(|o| {
                o.id == op.logical && o.rules.kind == op.kind && o.generation == *generation && o.gone_at.is_none()
            });
            assert!(twin.is_none(), "{} was created twice in one generation", op.logical);
        }
        self.next += 1;
        let object = Object {
            physical: format!("x-{}", self.next),
            id: op.logical.clone(),
            rules,
            generation: generation.clone(),
            inputs: inputs.clone(),
            seen_inputs: inputs.clone(),
            changed_seen_at: self.now,
            seen_at: self.now + self.lag(),
            ready_at: self.now + rules.estimate.create,
            gone_at: None,
            failed: self.dice.percent(self.weather.failing),
        };
        let physical = object.physical.clone();
        self.objects.push(object);
        let outputs = (rules.estimate.create <= Duration::from_secs(1) && self.dice.percent(50)).then(|| {
            let last = self.objects.last_mut().unwrap();
            (last.ready_at, last.failed) = (self.now, false);
            outputs(&physical)
        });
        Ok(Reply::Created { physical, outputs })
    }

    fn update(&mut self, physical: &str, inputs: &Inputs) -> Result<Reply, Failure> {
        self.check_references(inputs);
        let (now, lag) = (self.now, self.lag());
        let Some(object) = self.objects.iter_mut().find(|object| object.physical == physical) else {
            return fail(Class::Missing, physical);
        };
        for field in object.rules.fields.iter().filter(|field| field.change == wharf_engine::Change::Replace) {
            let sorted = |inputs: &Inputs| match inputs.get(field.name) {
                Some(Value::List(items)) => items.iter().filter_map(Value::as_text).collect::<BTreeSet<_>>(),
                other => other.and_then(Value::as_text).into_iter().collect(),
            };
            assert_eq!(sorted(&object.inputs), sorted(inputs), "an update changed {}", field.name);
        }
        assert!(object.inputs["count"].same(&inputs["count"]), "an update undid the autoscaler");
        object.seen_inputs = object.inputs.clone();
        object.inputs = inputs.clone();
        object.changed_seen_at = now + lag;
        let outputs = (lag.is_zero() && self.dice.percent(50)).then(|| outputs(physical));
        Ok(Reply::Updated { outputs })
    }

    fn delete(&mut self, physical: &str) -> Result<Reply, Failure> {
        let Some(place) = self.objects.iter().position(|object| object.physical == physical) else {
            return fail(Class::Missing, physical);
        };
        let holds = |object: &&Object, field: &str| {
            object.inputs.get(field).is_some_and(|value| value.known().contains(&physical))
                && object.physical != physical
        };
        if let Some(user) = self.objects.iter().find(|object| holds(object, "uses")) {
            assert!(!self.strict || user.gone_at.is_some(), "{physical} was to go while {} uses it", user.physical);
            return fail(Class::Draining, &user.physical);
        }
        if let Some(user) = self.objects.iter().find(|o| holds(o, "links") && o.gone_at.is_none()) {
            let may = self.goes_first.contains(&self.objects[place].id);
            assert!(!self.strict || may, "{physical} was to go while {} links it", user.physical);
        }
        self.check_successor(place);
        let object = &mut self.objects[place];
        if object.gone_at.is_some() {
            return fail(Class::Busy, "already deleting");
        }
        let gone = object.rules.estimate.delete <= Duration::from_secs(1);
        object.gone_at = Some(self.now + object.rules.estimate.delete);
        if gone {
            self.objects.remove(place);
        }
        Ok(Reply::Deleted { gone })
    }

    /// What is replaced create-first stays until the new one works.
    fn check_successor(&self, place: usize) {
        let object = &self.objects[place];
        let Some((kind, wanted)) = self.wanted.get(&object.id) else { return };
        if self.strict && self.goes_first.is_empty() && object.rules.kind == *kind {
            let new = self.objects.iter().find(|other| other.id == object.id && other.generation == *wanted);
            let works = new.is_some_and(|new| new.ready_at <= self.now);
            assert!(works || *wanted == object.generation, "{} goes before the new one works", object.id);
        }
    }

    /// No resource is created or changed before what it refers to exists.
    fn check_references(&self, inputs: &Inputs) {
        for held in inputs.values().flat_map(Value::known) {
            let target = self.objects.iter().find(|object| object.physical == held);
            let usable = target.is_some_and(|target| target.ready_at <= self.now && !target.failed);
            assert!(usable, "{held} is referred to but is not there, or not ready");
        }
    }

    fn lag(&mut self) -> Duration {
        let most = u64::try_from(self.weather.stale.as_millis()).unwrap();
        Duration::from_millis(if most == 0 { 0 } else { self.dice.roll(most) })
    }

    /// Somebody else at work: counts scale, tags are added.
    pub(crate) fn live(&mut self) {
        for object in &mut self.objects {
            object.inputs.insert("count".to_owned(), Value::Int(7));
            if let Some(Value::Map(tags)) = object.inputs.get_mut("tags") {
                tags.insert("theirs".to_owned(), Value::text("x"));
            }
            object.changed_seen_at = self.now;
        }
    }

    /// Somebody meddles: fields are changed, and what nobody uses is deleted.
    pub(crate) fn meddle(&mut self) {
        for place in (0..self.objects.len()).rev() {
            let physical = self.objects[place].physical.clone();
            let held =
                self.objects.iter().any(|object| object.inputs.values().any(|v| v.known().contains(&&*physical)));
            match self.dice.roll(6) {
                0 => drop(self.objects[place].inputs.insert("size".to_owned(), Value::Int(9))),
                1 => drop(self.objects[place].inputs.insert("shape".to_owned(), Value::Int(9))),
                2 if !held => drop(self.objects.remove(place)),
                _ => {}
            }
        }
    }

    /// The account has exactly what the stack says, wired as it says.
    pub(crate) fn assert_is(&self, stack: &Stack) {
        let by_id: BTreeMap<_, _> = self.objects.iter().map(|object| (object.id.clone(), object)).collect();
        assert_eq!(by_id.len(), self.objects.len(), "something exists twice: {:#?}", self.objects);
        assert!(by_id.keys().eq(stack.resources.keys()), "{:?} exist, not {:?}", by_id.keys(), stack.resources.keys());
        for (id, object) in by_id.iter().map(|(id, object)| (id, *object)) {
            assert!(!object.failed, "{id} does not work");
            let resource = &stack.resources[id];
            assert_eq!(object.rules.kind, resource.rules.kind);
            for field in ["shape", "size"] {
                assert_eq!(object.inputs[field], resource.inputs[field], "{id} {field}");
            }
            for field in ["uses", "links"] {
                let has: BTreeSet<&str> = object.inputs[field].known().into_iter().collect();
                let wants = resource.inputs[field].references();
                let wants: BTreeSet<&str> = wants.iter().map(|r| by_id[&r.id].physical.as_str()).collect();
                assert_eq!(has, wants, "{id} {field}");
            }
            let (Value::Map(has), Value::Map(wants)) = (&object.inputs["tags"], &resource.inputs["tags"]) else {
                panic!("tags are maps")
            };
            assert!(wants.iter().all(|(key, value)| has.get(key) == Some(value)), "{id} lacks tags");
        }
    }
}

fn outputs(physical: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(physical))])
}

fn fail<T>(class: Class, message: &str) -> Result<T, Failure> {
    Err(Failure { class, message: message.to_owned(), code: None, hint: None })
}
