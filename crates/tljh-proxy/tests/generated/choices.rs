//! Bytes as decisions.

/// Each byte decides one thing. Where there are none left, everything is as usual: what is cut shorter is simpler.
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// A number below `end`, which is 256 at most.
    pub fn below(&mut self, end: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % end
    }

    /// True once in `times` times.
    pub fn rarely(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these; the first is the simplest.
    pub fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// `usual`, or once in `times` times one of the others.
    pub fn mostly<T: Copy>(&mut self, usual: T, times: usize, others: &[T]) -> T {
        if self.rarely(times) {
            self.of(others)
        } else {
            usual
        }
    }
}
