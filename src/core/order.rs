//! What a client asks an orchestrator to build: the body of `POST /build`, the same type at both ends.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::event::{Selection, Wanted};
use super::names::{BuildName, HostName};
use super::plan::Plan;

/// The request as it is written: `{"driver":NAME?, "packages":[ATOM] | "world":true | "plan":PLAN, …}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Whose packages are wanted; left out, the plan's driver, else the one of the orchestrator's inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<HostName>,
    /// Atoms, for which the driver is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub packages: Option<BTreeSet<Wanted>>,
    /// The driver's world, for which it is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<bool>,
    /// What the driver's resolver has said already: the JSON of a plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// What the plan was made for; left out, just its packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// Whether it is released as soon as all of it is received.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finalize: bool,
    /// Whether all of it is built anew, whatever is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuild: bool,
}

/// A build that is to be made: the plan is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Submission {
    /// What was asked for.
    pub selection: Selection,
    /// What that comes to.
    pub plan: Plan,
    /// Whether it is released as soon as all of it is received.
    #[serde(default)]
    pub finalize: bool,
    /// Whether all of it is built anew, whatever is there.
    #[serde(default)]
    pub rebuild: bool,
}

/// What a request comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The driver is to be asked for a plan.
    Ask {
        /// Whose packages; none is the usual one.
        driver: Option<HostName>,
        /// Which.
        selection: Selection,
        /// Whether it is released as soon as all of it is received.
        finalize: bool,
        /// Whether all of it is built anew.
        rebuild: bool,
    },
    /// The plan is there.
    Planned(Box<Submission>),
}

/// A request that asks for nothing, or for several things.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// Not one of the ways to say it.
    #[error("one of `packages` (a list of atoms), `world` (true) and `plan` says what to build")]
    NotOne,
    /// `selection` without a plan.
    #[error("`selection` says what a `plan` was made for, and there is none")]
    NoPlan,
    /// Two drivers.
    #[error("the plan is of the driver {plan}, and `driver` is {driver}")]
    OtherDriver {
        /// The plan's.
        plan: HostName,
        /// The other.
        driver: HostName,
    },
    /// A damaged plan.
    #[error("the plan's dependencies lead outside of it")]
    Loose,
}

impl TryFrom<Form> for Order {
    type Error = OrderError;

    fn try_from(form: Form) -> Result<Self, OrderError> {
        let Form { driver, packages, world, plan, selection, finalize, rebuild } = form;
        let ask = |selection| Ok(Self::Ask { driver: driver.clone(), selection, finalize, rebuild });
        match (packages, world.unwrap_or(false), plan) {
            (Some(atoms), false, None) if !atoms.is_empty() => match selection {
                Some(_) => Err(OrderError::NoPlan),
                None => ask(Selection::Atoms(atoms)),
            },
            (None, true, None) if selection.is_some() => Err(OrderError::NoPlan),
            (None, true, None) => ask(Selection::World),
            (None, false, Some(plan)) => {
                if !plan.hangs_together() {
                    return Err(OrderError::Loose);
                }
                if let Some(driver) = driver.filter(|driver| *driver != plan.driver) {
                    return Err(OrderError::OtherDriver { plan: plan.driver, driver });
                }
                let all = || Selection::Exactly(plan.packages.iter().map(|each| each.identity.cpv.clone()).collect());
                let selection = selection.unwrap_or_else(all);
                Ok(Self::Planned(Box::new(Submission { selection, plan: *plan, finalize, rebuild })))
            }
            _ => Err(OrderError::NotOne),
        }
    }
}

impl From<Submission> for Form {
    fn from(submission: Submission) -> Self {
        let Submission { selection, plan, finalize, rebuild } = submission;
        let (plan, selection) = (Some(Box::new(plan)), Some(selection));
        Self { plan, selection, finalize, rebuild, ..Self::default() }
    }
}

/// What an orchestrator answers to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// The build; none where nothing is to be built.
    pub build: Option<BuildName>,
    /// What is to be told of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::simulation::plan;

    fn order(text: &str) -> Result<Order, String> {
        let form: Form = serde_json::from_str(text).map_err(|error| format!("no form: {error}"))?;
        Order::try_from(form).map_err(|error| error.to_string())
    }

    #[test]
    fn an_order_says_what_it_wants_in_one_way() {
        for (text, wanted) in [
            (r#"{"world":true}"#, Ok("@world")),
            (r#"{"driver":"capella","packages":["app-misc/foo"]}"#, Ok("app-misc/foo")),
            (r#"{"packages":[]}"#, Err("says what to build")),
            (r#"{"world":false}"#, Err("says what to build")),
            (r#"{"world":true,"packages":["a/b"]}"#, Err("says what to build")),
            (r#"{"world":true,"selection":"world"}"#, Err("there is none")),
            ("{}", Err("says what to build")),
            (r#"{"package":["a/b"]}"#, Err("no form")),
            (r#"{"packages":["--ask"]}"#, Err("no form")),
            (r#"{"packages":["a b"]}"#, Err("no form")),
            (r#"{"plan":{"packages":[]}}"#, Err("no form")),
            ("[]", Err("says what to build")),
            ("", Err("no form")),
        ] {
            match (order(text), wanted) {
                (Ok(Order::Ask { selection, .. }), Ok(wanted)) => assert_eq!(selection.to_string(), wanted, "{text}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{text}: {why}"),
                (order, _) => panic!("{text}: {order:?}"),
            }
        }
    }

    #[test]
    fn a_plan_arrives_as_it_was_sent_and_is_of_its_own_driver() {
        let plan = plan(3, &[(1, 0)]);
        let sent = Submission { selection: Selection::World, plan: plan.clone(), finalize: true, rebuild: false };
        let text = serde_json::to_string(&Form::from(sent.clone())).unwrap();
        assert_eq!(order(&text), Ok(Order::Planned(Box::new(sent))));
        let form = Form { plan: Some(Box::new(plan.clone())), ..Form::default() };
        let Ok(Order::Planned(alone)) = Order::try_from(form.clone()) else { panic!("refused") };
        assert_eq!(alone.selection.to_string(), "a list of 3 packages");
        let other = Form { driver: Some("vega".parse().unwrap()), ..form };
        assert!(matches!(Order::try_from(other), Err(OrderError::OtherDriver { .. })));
        let mut loose = plan;
        loose.packages.pop();
        loose.packages.pop();
        assert_eq!(Order::try_from(Form { plan: Some(Box::new(loose)), ..Form::default() }), Err(OrderError::Loose));
    }
}
