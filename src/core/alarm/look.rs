//! What follows from a look at the causes that hold.

use super::{Facts, Standing, find};
use crate::core::event::Event;
use crate::core::names::Timestamp;
use crate::core::state::State;

/// The events that make the alarms what they should be now; none where nothing has changed.
pub fn look(state: &State, facts: &Facts, now: Timestamp) -> Vec<Event> {
    let found = find(state, facts, now);
    let mut events = Vec::new();
    for (cause, standing) in &found {
        let Standing::Holds { words, happened } = standing else { continue };
        let known = state.alarms.of(cause).filter(|alarm| alarm.cleared.is_none());
        let is_news = known.is_none_or(|alarm| {
            let changed = cause.ends_at_once() && alarm.words != *words;
            // What somebody saw for himself then is told when it happens again and nobody is there.
            let unseen = alarm.attended && !facts.attended && *happened > alarm.at;
            changed || unseen
        });
        if is_news {
            let attended = match known {
                Some(alarm) if *happened <= alarm.at => alarm.attended,
                Some(alarm) => alarm.attended && facts.attended,
                None => facts.attended,
            };
            events.push(Event::AlarmRaised { cause: cause.clone(), words: words.clone(), attended, at: now });
        }
    }
    let gone = state.alarms.standing().filter(|alarm| !found.contains_key(&alarm.cause));
    events.extend(gone.map(|alarm| Event::AlarmCleared { cause: alarm.cause.clone(), at: now }));
    events
}
