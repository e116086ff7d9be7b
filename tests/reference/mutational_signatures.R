# Exposures of MutationalPatterns (fit_to_signatures, non-negative least squares) on simulated spectra.
# Rscript tests/reference/mutational_signatures.R tests/reference
# Made with R 4.2.2, MutationalPatterns 3.8.1. The signatures are made here, none of them is COSMIC's.
suppressMessages(library(MutationalPatterns))
folder <- commandArgs(TRUE)[1]
set.seed(20)
dirichlet <- function(alpha) { x <- rgamma(length(alpha), alpha); x / sum(x) }
bases <- c("A", "C", "G", "T")
changes <- c("C>A", "C>G", "C>T", "T>A", "T>C", "T>G")
# In the order of COSMIC's files, which SigProfilerAssignment expects.
types <- sort(as.vector(outer(bases, as.vector(outer(paste0("[", changes, "]"), bases, paste0)), paste0)), method = "radix")
K <- 6
total <- c(60, 120, 120, 300, 300, 600, 600, 1000, 1000, 2000, 5000, 5000)
signatures <- round(sapply(1:K, function(k) dirichlet(rep(0.15, 96))), 6)
signatures <- sweep(signatures, 2, colSums(signatures), "/")
true <- sapply(total, function(n) dirichlet(rep(0.5, K)))
counts <- sapply(seq_along(total), function(i) rmultinom(1, total[i], signatures %*% true[, i])[, 1])
dimnames(signatures) <- list(types, paste0("M", 1:K))
samples <- sprintf("T%02d", seq_along(total))
dimnames(counts) <- list(types, samples)
write.csv(data.frame(Type = types, signatures, counts, check.names = FALSE),
          file.path(folder, "mutational_signatures_table.csv"), row.names = FALSE, quote = FALSE)
fit <- fit_to_signatures(counts, signatures)$contribution
out <- expand.grid(signature = colnames(signatures), sample = samples)
out$true_share <- round(as.vector(true), 6)
out$mutational_patterns <- as.vector(fit)
write.csv(out[, c("sample", "signature", "true_share", "mutational_patterns")],
          file.path(folder, "mutational_signatures_answers.csv"), row.names = FALSE, quote = FALSE)
