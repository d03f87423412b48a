//! Chance, the same for the same seed (SplitMix64).

/// Chance.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// That of a seed.
    #[must_use]
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        let [byte, ..] = self.throw().to_le_bytes();
        byte
    }

    /// A number less than `most`; zero where there is none.
    pub fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.throw() % (most.max(1) as u64)).unwrap_or_default()
    }

    /// Heads or tails.
    pub fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.below(from.len())).cloned()
    }
}
