"""The study: asks a sampler for layouts, has them evaluated, and keeps what came out."""
