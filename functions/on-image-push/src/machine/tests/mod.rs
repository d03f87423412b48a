//! The machine by itself: in every order of events that a small world allows, and at random in larger ones.

mod explore;
mod steps;
mod world;
