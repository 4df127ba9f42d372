//! Who is to be told what, now.

use std::collections::BTreeSet;

use super::{Alarm, Cause, ChannelTrouble, Kind, find};
use crate::core::names::{ChannelName, Timestamp};
use crate::core::state::State;

/// So long (seconds) a trouble that comes and goes by itself has to stay away the first time before it is over.
const CALM: u64 = 600;
/// The longest such time (seconds).
const LONGEST_CALM: u64 = 24 * 3600;
/// The first pause (seconds) after a channel that failed; it doubles.
const FIRST_PAUSE: u64 = 60;
/// The longest such pause (seconds).
const LONGEST_PAUSE: u64 = 3600;

/// A channel, as far as it decides what it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its name.
    pub name: ChannelName,
    /// What it wants to hear of.
    pub on: BTreeSet<Kind>,
    /// Whether also of what was found in somebody's presence.
    pub attended: bool,
}

/// What a channel is to be told, in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telling {
    /// Whom.
    pub channel: ChannelName,
    /// What is wrong, and was not told there.
    pub raised: Vec<Alarm>,
    /// What was told there, and is over.
    pub recovered: Vec<Alarm>,
}

impl Telling {
    /// The causes of these alarms.
    pub fn causes(alarms: &[Alarm]) -> Vec<Cause> {
        alarms.iter().map(|alarm| alarm.cause.clone()).collect()
    }
}

/// What is to be told now, one message a channel.
pub fn due(state: &State, listeners: &[Listener], now: Timestamp) -> Vec<Telling> {
    let rests = |trouble: &ChannelTrouble| {
        let pause = FIRST_PAUSE.saturating_mul(1 << trouble.failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE);
        // A clock that was set back is no reason to keep silent.
        trouble.last <= now && now.seconds_since(trouble.last) < pause
    };
    let awake = listeners.iter().filter(|listener| !state.alarms.channels.get(&listener.name).is_some_and(rests));
    awake.filter_map(|listener| telling(state, listener, now)).collect()
}

fn telling(state: &State, listener: &Listener, now: Timestamp) -> Option<Telling> {
    let name = &listener.name;
    let is_news = |alarm: &&Alarm| {
        let wanted = listener.on.contains(&alarm.cause.kind()) && (listener.attended || !alarm.attended);
        wanted && !alarm.told.contains(name)
    };
    let raised: Vec<Alarm> = state.alarms.standing().filter(is_news).cloned().collect();
    let is_over = |alarm: &&Alarm| {
        alarm.told.contains(name)
            && alarm
                .cleared
                .is_some_and(|cleared| now.seconds_since(cleared) >= calm(alarm, ends_at_once(state, alarm)))
    };
    let wants_recovery = listener.on.contains(&Kind::Recovery);
    let recovered = state.alarms.alarms.values().filter(|_| wants_recovery).filter(is_over).cloned().collect();
    let telling = Telling { channel: name.clone(), raised, recovered };
    (!telling.raised.is_empty() || !telling.recovered.is_empty()).then_some(telling)
}

/// Whether its end is certain: also that of work that waited, where none is left.
fn ends_at_once(state: &State, alarm: &Alarm) -> bool {
    alarm.cause.ends_at_once() || (alarm.cause == Cause::Waiting && !find::work_waits(state))
}

/// How long (seconds) a trouble has to stay away before it is over; `at_once` says whether its end is certain.
pub(super) fn calm(alarm: &Alarm, at_once: bool) -> u64 {
    let doublings = if at_once { alarm.times.checked_sub(2) } else { alarm.times.checked_sub(1) };
    doublings.map_or(0, |doublings| CALM.saturating_mul(1 << doublings.min(20)).min(LONGEST_CALM))
}
