# PIPs, prior and residual variance, ELBO and credible sets of susieR for the data in a folder.
suppressMessages(library(susieR))
folder <- commandArgs(TRUE)[1]
X <- as.matrix(read.csv(file.path(folder, "X.csv"), header = FALSE))
y <- scan(file.path(folder, "y.csv"), quiet = TRUE)
z <- scan(file.path(folder, "z.csv"), quiet = TRUE)
R <- cor(X)
told <- function(name, fit) {
  write.table(data.frame(fit$pip), file.path(folder, paste0(name, "_pip.csv")), row.names = FALSE, col.names = FALSE)
  write.table(data.frame(fit$V, fit$lbf), file.path(folder, paste0(name, "_V.csv")), row.names = FALSE, col.names = FALSE)
  cat(name, format(fit$sigma2, digits = 12), format(tail(fit$elbo, 1), digits = 12), fit$converged, "\n")
  sets <- fit$sets
  for (i in seq_along(sets$cs))
    cat(name, "set", paste(sort(sets$cs[[i]]), collapse = ","), format(sets$coverage[i], digits = 9),
        format(sets$purity$min.abs.corr[i], digits = 9), format(sets$purity$mean.abs.corr[i], digits = 9), "\n")
}
told("individual", susie(X, y, L = 5, tol = 1e-8, max_iter = 1000))
told("rss", susie_rss(z, R, n = length(y), L = 5, tol = 1e-8, max_iter = 1000))
bad <- z
bad[20] <- -bad[20]
cat("mismatch", format(estimate_s_rss(bad, R, n = length(y)), digits = 9), "\n")
