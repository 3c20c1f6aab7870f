//! The ways to call an operation over HTTP, as the definition's `google.api.http` annotations say it.

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, MethodDescriptor, Value};

use crate::definition;
use crate::operation::Operation;

/// One method on one path.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) operation: Operation,
    pub(super) method: MethodDescriptor,
    /// In lower case, as OpenAPI wants it.
    pub(super) verb: &'static str,
    /// With a name in braces where an identifier stands: the JSON name of the field that it sets.
    pub(super) path: String,
    /// Those names.
    pub(super) variables: Vec<String>,
}

impl Rule {
    /// All of them.
    pub(super) fn all() -> Vec<Self> {
        let service = definition::service();
        let methods = service.iter().flat_map(|service| service.methods());
        methods.flat_map(|method| of_method(&method)).collect()
    }

    /// Whether the request is the body.
    pub(super) fn has_body(&self) -> bool {
        self.verb == "post"
    }

    /// A name that no other rule has.
    pub(super) fn id(&self) -> String {
        let name = self.operation.name();
        let by_post = match self.has_body() && self.operation == Operation::SubscribeToTask {
            true => "ByPost",
            false => "",
        };
        let for_tenant = match self.variables.iter().any(|name| name == "tenant") {
            true => "ForTenant",
            false => "",
        };
        format!("{name}{by_post}{for_tenant}")
    }
}

fn of_method(method: &MethodDescriptor) -> Vec<Rule> {
    let annotations = annotations(method);
    let rules = annotations.iter();
    let mut rules: Vec<_> = rules
        .filter_map(|http| of_annotation(method, http))
        .collect();
    // The definition has a GET here, and the specification (5.3) a POST.
    let subscribe = rules
        .iter()
        .filter(|rule| rule.operation == Operation::SubscribeToTask);
    let by_post: Vec<_> = subscribe
        .cloned()
        .map(|rule| Rule {
            verb: "post",
            ..rule
        })
        .collect();
    rules.extend(by_post);
    rules
}

/// The method's `HttpRule` and the further ones within it.
fn annotations(method: &MethodDescriptor) -> Vec<DynamicMessage> {
    let http = definition::pool().get_extension_by_name("google.api.http");
    let Some(http) = http else {
        return Vec::new();
    };
    let options = method.options();
    let Some(first) = options.get_extension(&http).as_message().cloned() else {
        return Vec::new();
    };
    let further = first.get_field_by_name("additional_bindings");
    let further = further.map(Cow::into_owned).unwrap_or(Value::Bool(false));
    let further = further.as_list().unwrap_or_default().to_vec();
    let further = further
        .into_iter()
        .filter_map(|rule| rule.as_message().cloned());
    std::iter::once(first.clone()).chain(further).collect()
}

fn of_annotation(method: &MethodDescriptor, http: &DynamicMessage) -> Option<Rule> {
    let template = |verb| {
        let template = http.get_field_by_name(verb)?.as_str()?.to_owned();
        (!template.is_empty()).then_some((verb, template))
    };
    let (verb, template) = ["get", "post", "delete", "put", "patch"]
        .into_iter()
        .find_map(template)?;
    let (path, variables) = path(method, &template);
    Some(Rule {
        operation: Operation::parse(method.name())?,
        method: method.clone(),
        verb,
        path,
        variables,
    })
}

/// `/tasks/{task_id=*}:x` becomes `/tasks/{taskId}:x`, with the variable `taskId`.
fn path(method: &MethodDescriptor, template: &str) -> (String, Vec<String>) {
    let mut pieces = template.split('{');
    let mut path = pieces.next().unwrap_or_default().to_owned();
    let mut variables = Vec::new();
    for piece in pieces {
        let (variable, rest) = piece.split_once('}').unwrap_or((piece, ""));
        let name = variable.split('=').next().unwrap_or_default();
        let field = method.input().get_field_by_name(name);
        let name = field.map_or(name.to_owned(), |field| field.json_name().to_owned());
        path.push_str(&format!("{{{name}}}{rest}"));
        variables.push(name);
    }
    (path, variables)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::rest::Route;

    /// What the route table of the binding does with a rule's path.
    fn served(rule: &Rule) -> Option<Operation> {
        let path = rule.path.replace('{', "x-").replace('}', "");
        let route = Route::parse(&path)?;
        let verb = rule.verb.to_ascii_uppercase();
        let mut methods = route.resource.methods().iter();
        methods
            .find(|(method, _)| *method == verb)
            .map(|(_, operation)| *operation)
    }

    #[test]
    fn every_rule_of_the_definition_is_served() {
        let rules = Rule::all();
        // Eleven operations, one of them with two methods, each with and without a tenant.
        assert_eq!(rules.len(), 24);
        for rule in &rules {
            assert_eq!(served(rule), Some(rule.operation), "{}", rule.path);
        }
        let ids: BTreeSet<_> = rules.iter().map(Rule::id).collect();
        assert_eq!(ids.len(), rules.len());
    }

    #[test]
    fn every_route_that_is_served_has_a_rule() {
        let rules = Rule::all();
        let paths: BTreeSet<_> = rules.iter().map(|rule| rule.path.as_str()).collect();
        for path in &paths {
            let route = Route::parse(&path.replace('{', "x-").replace('}', "")).unwrap();
            for (method, operation) in route.resource.methods() {
                let is_it =
                    |rule: &&Rule| rule.path == *path && rule.verb.eq_ignore_ascii_case(method);
                let rule = rules.iter().find(is_it).unwrap();
                assert_eq!(rule.operation, *operation);
            }
        }
    }

    #[test]
    fn variables_have_json_names() {
        let rules = Rule::all();
        let paths: Vec<_> = rules.iter().map(|rule| rule.path.as_str()).collect();
        assert!(paths.contains(&"/tasks/{id}:cancel"));
        assert!(paths.contains(&"/{tenant}/tasks/{taskId}/pushNotificationConfigs/{id}"));
    }
}
