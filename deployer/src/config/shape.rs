//! The first look at a file: which keys there are, what type each value has, and what its text says by itself.
//!
//! It walks the file beside the JSON schema, so a key that is added to the types is known here too.

use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::format::{Region, fault};
use super::later;
use super::places::join;
use super::problem::Problem;
use super::suggest::{nearest, one_of};

/// Every problem that can be seen without knowing what the values mean together.
pub(super) fn check(table: &DeTable<'_>, schema: &Value) -> Vec<Problem> {
    let mut look = Look { problems: Vec::new() };
    look.table("", 0..0, table, schema);
    look.problems
}

struct Look {
    problems: Vec<Problem>,
}

impl Look {
    fn table(&mut self, path: &str, place: Range<usize>, table: &DeTable<'_>, schema: &Value) {
        let none = Map::new();
        let known = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let any = schema.get("additionalProperties").filter(|any| any.is_object());
        for (key, value) in table {
            let path = join(path, key.get_ref());
            match known.get(key.get_ref().as_ref()).or(any) {
                Some(schema) => self.value(&path, key.span(), value, schema),
                None => self.unknown(&path, key.span(), known),
            }
        }
        for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            if !table.keys().any(|key| key.get_ref() == required) {
                self.missing(path, &place, required);
            }
        }
    }

    fn unknown(&mut self, path: &str, place: Range<usize>, known: &Map<String, Value>) {
        let key = path.rsplit('.').next().unwrap_or(path);
        if let Some(purpose) = later::purpose(path) {
            let problem = Problem::error(format!("`{path}` is not built yet in this version"), place, purpose);
            return self.problems.push(problem.help("leave it out for now"));
        }
        let names = known.keys().map(String::as_str);
        let help = match nearest(key, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("what can stand here: {}", one_of(names)),
        };
        self.problems.push(Problem::error(format!("unknown key `{path}`"), place, "no such key").help(help));
    }

    fn missing(&mut self, path: &str, place: &Range<usize>, key: &str) {
        let example = match key {
            "stack" => "[stack]\nname = \"shop\"\nregion = \"us-east-1\"".to_owned(),
            "region" => "region = \"us-east-1\"".to_owned(),
            "actions" => "actions = [\"s3:GetObject\"]".to_owned(),
            "resources" => "resources = [\"arn:aws:s3:::shop-uploads/*\"]".to_owned(),
            "secret" => "secret = \"/shop/slack/webhook\"".to_owned(),
            "until" => "until = \"2027-01-31\"".to_owned(),
            other => format!("{other} = \"shop\""),
        };
        let path = join(path, key);
        let problem = Problem::error(format!("`{path}` is missing"), place.clone(), format!("`{key}` belongs here"));
        self.problems.push(problem.help(format!("add `{}`", example.replace('\n', " "))));
    }

    fn value(&mut self, path: &str, key: Range<usize>, value: &Spanned<DeValue<'_>>, schema: &Value) {
        let place = value.span();
        match (value.get_ref(), schema.get("type").and_then(Value::as_str).unwrap_or("string")) {
            (DeValue::Table(table), "object") => self.table(path, key, table, schema),
            (DeValue::Array(items), "array") => {
                let schema = schema.get("items").unwrap_or(&Value::Null);
                for (number, item) in items.iter().enumerate() {
                    self.value(&join(path, &number.to_string()), item.span(), item, schema);
                }
            }
            (DeValue::Boolean(_), "boolean") => {}
            (DeValue::Integer(number), "integer") => self.number(path, place, number, schema),
            (DeValue::String(text), "string") => self.text(path, place, text, schema),
            (DeValue::Array(items), _) if path == "stack.region" && items.len() > 1 => {
                let problem = Problem::error("`stack.region` is a list of regions", place, "more than one region");
                self.problems.push(problem.help(Region::ONE));
            }
            (found, wanted) => self.mistyped(path, place, found, wanted),
        }
    }

    fn number(&mut self, path: &str, place: Range<usize>, number: &toml::de::DeInteger<'_>, schema: &Value) {
        let least = schema.get("minimum").and_then(Value::as_i64).unwrap_or(i64::MIN);
        let most = schema.get("maximum").and_then(Value::as_i64).unwrap_or(i64::from(u32::MAX));
        let value = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok();
        if value.is_none_or(|value| value < least || value > most) {
            let message = format!("`{path}` is out of range");
            let problem = Problem::error(message, place, format!("{number} is not between {least} and {most}"));
            return self.problems.push(problem.help(format!("write a number from {least} to {most}")));
        }
        let choices: Vec<i64> =
            schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_i64).collect();
        if let Some(value) = value.filter(|value| !choices.is_empty() && !choices.contains(value)) {
            let near = choices.iter().min_by_key(|choice| choice.abs_diff(value)).copied().unwrap_or_default();
            let problem = Problem::error(format!("`{path}` is not one of AWS's choices"), place, "not a choice");
            let list: Vec<String> = choices.iter().map(i64::to_string).collect();
            self.problems.push(problem.help(format!("write {near}, or another of {}", list.join(", "))));
        }
    }

    fn text(&mut self, path: &str, place: Range<usize>, text: &str, schema: &Value) {
        let choices = choices(schema);
        if !choices.is_empty() && !choices.contains(&text) {
            let help = match nearest(text, choices.iter().copied()) {
                Some(near) => format!("did you mean `{near}`? it can be {}", one_of(choices)),
                None => format!("write {}", one_of(choices)),
            };
            let problem = Problem::error(format!("`{path}` cannot be `{text}`"), place, "not a choice");
            return self.problems.push(problem.help(help));
        }
        let format = schema.get("format").and_then(Value::as_str);
        if let Some(fault) = format.and_then(|format| fault(format, text)) {
            let message =
                format!("`{path}` {}", if fault.wrong.starts_with('`') { "is malformed" } else { &fault.wrong });
            let label = if fault.wrong.starts_with('`') { fault.wrong } else { "here".to_owned() };
            self.problems.push(Problem::error(message, place, label).help(fault.instead));
        }
    }

    fn mistyped(&mut self, path: &str, place: Range<usize>, found: &DeValue<'_>, wanted: &str) {
        let (named, example) = match wanted {
            "object" => ("a section or table", "a table, such as `{ key = \"value\" }`".to_owned()),
            "array" => (
                "a list",
                match found {
                    DeValue::String(text) => format!("[\"{text}\"]"),
                    DeValue::Integer(number) => format!("[{number}]"),
                    _ => "a list in brackets".to_owned(),
                },
            ),
            "boolean" => ("true or false", "`true` or `false`, without quotes".to_owned()),
            "integer" => (
                "a whole number",
                match found {
                    DeValue::String(text) if text.parse::<i64>().is_ok() => format!("{text}, without quotes"),
                    _ => "a whole number, without quotes".to_owned(),
                },
            ),
            _ => (
                "a text",
                match found {
                    DeValue::Integer(number) => format!("\"{number}\", in quotes"),
                    DeValue::Float(number) => format!("\"{}\", in quotes", number.as_str()),
                    DeValue::Boolean(flag) => format!("\"{flag}\", in quotes"),
                    _ => "a text in quotes".to_owned(),
                },
            ),
        };
        let problem = Problem::error(format!("`{path}` must be {named}"), place, format!("this is {}", type_of(found)));
        self.problems.push(problem.help(format!("write {example}")));
    }
}

/// The texts that a value can be, when they are few.
fn choices(schema: &Value) -> Vec<&str> {
    let listed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
    let described = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    listed.chain(described.filter_map(|choice| choice.get("const"))).filter_map(Value::as_str).collect()
}

/// What a value is, in the words of the messages.
fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
