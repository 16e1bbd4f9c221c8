"""The independent witness: it probes what is recovered, and keeps ledgers of acknowledged writes."""
