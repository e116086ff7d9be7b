# Numbers of R for tests of expression: edgeR (TMM, log counts per million), GSVA (ssGSEA, GSVA, z), ConsensusClusterPlus.
# Rscript tests/reference/expression.R tests/reference
# Made with R 4.2.2, edgeR 3.40.2, GSVA 1.46.0, ConsensusClusterPlus 1.62.0.
suppressMessages({library(edgeR); library(GSVA); library(ConsensusClusterPlus)})
folder <- commandArgs(TRUE)[1]
set.seed(5)
genes <- 120; n <- 9
mu <- exp(rnorm(genes, 4, 1.5))
counts <- matrix(rnbinom(genes * n, mu = rep(mu, n) * rep(runif(n, .5, 2), each = genes), size = 3), genes, n)
rownames(counts) <- sprintf("g%03d", 1:genes); colnames(counts) <- sprintf("s%d", 1:n)
write.csv(counts, file.path(folder, "expression_counts.csv"), quote = FALSE)
y <- calcNormFactors(DGEList(counts))
lc <- cpm(DGEList(counts), log = TRUE, prior.count = 2)
lt <- cpm(y, log = TRUE, prior.count = 2)
sets <- list(a = rownames(counts)[1:20], b = rownames(counts)[50:60], c = rownames(counts)[c(3, 9, 100, 110, 119)])
# Equal values have no order of their own; a trace of the place tells them apart.
x <- lc + 1e-7 * matrix(1:(genes * n), genes, n)
quiet <- function(...) suppressWarnings(gsva(..., verbose = FALSE))
long <- function(what, m) data.frame(what = what, row = rownames(m)[row(m)], column = colnames(m)[col(m)], value = c(m))
out <- rbind(
  data.frame(what = "tmm", row = "", column = colnames(counts), value = y$samples$norm.factors),
  long("logcpm", lc[c(1, 60, 120), ]), long("logcpm_tmm", lt[c(1, 60, 120), ]),
  long("ssgsea", quiet(x, sets, method = "ssgsea", ssgsea.norm = FALSE)),
  long("gsva", quiet(x, sets, method = "gsva", kcdf = "Gaussian")),
  long("gsva_poisson", quiet(counts, sets, method = "gsva", kcdf = "Poisson")),
  long("zscore", quiet(x, sets, method = "zscore")))
# Three groups of six; the group of the first twelve is less apart.
z <- matrix(rnorm(60 * 18), 60, 18); z[1:15, 1:6] <- z[1:15, 1:6] + 1.2; z[16:40, 13:18] <- z[16:40, 13:18] + 3
rownames(z) <- sprintf("g%02d", 1:60); colnames(z) <- sprintf("s%02d", 1:18)
z <- round(z, 4)
pdf(NULL)
ccp <- suppressMessages(ConsensusClusterPlus(z, maxK = 3, reps = 1000, pItem = .8, pFeature = 1, clusterAlg = "hc",
  distance = "pearson", innerLinkage = "average", finalLinkage = "average", seed = 1, plot = NULL))
write.csv(z, file.path(folder, "expression_clusters.csv"), quote = FALSE)
for (k in 2:3) {
  m <- ccp[[k]]$consensusMatrix; dimnames(m) <- list(colnames(z), colnames(z))
  out <- rbind(out, long(sprintf("consensus_%d", k), m))
}
out$value <- signif(out$value, 15)
write.csv(out, file.path(folder, "expression_answers.csv"), quote = FALSE, row.names = FALSE)
