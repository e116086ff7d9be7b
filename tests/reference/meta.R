# Recorded answers of R's metafor to tests/reference/meta_answers.csv: Rscript meta.R DIR
# (Debian: r-cran-metafor; the table of trials is published in Colditz et al., JAMA 1994;271:698-702.)
suppressMessages(library(metafor))
folder <- commandArgs(trailingOnly = TRUE)[1]
out <- list()
keep <- function(case, name, value) out[[length(out) + 1]] <<- data.frame(case, name, value = sprintf("%.15g", value))
tell <- function(case, yi, vi) {
  for (method in c("FE", "DL", "PM", "REML")) {
    control <- if (method == "REML") list(threshold = 1e-14, maxiter = 5000) else list()
    if (method == "PM") control <- list(tol = 1e-14, maxiter = 5000)
    for (test in c("z", "knha")) {
      if (method == "FE" && test == "knha") next
      fit <- rma(yi, vi, method = method, test = test, control = control)
      label <- tolower(paste0(method, if (test == "knha") "_hk" else ""))
      keep(case, paste0(label, "_beta"), fit$beta[1])
      keep(case, paste0(label, "_se"), fit$se)
      keep(case, paste0(label, "_statistic"), fit$zval)
      keep(case, paste0(label, "_neg_log10_p"), -log10(fit$pval))
      keep(case, paste0(label, "_tau2"), fit$tau2)
    }
  }
  keep(case, "q", fit$QE)
  keep(case, "q_neg_log10_p", -log10(fit$QEp))
}
bcg <- escalc(measure = "RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
tell("bcg", bcg$yi, bcg$vi)
tables <- read.csv(file.path(folder, "meta_table.csv"))
for (row in unique(tables$case)) with(tables[tables$case == row, ], tell(row, beta, se^2))
write.csv(do.call(rbind, out), file.path(folder, "meta_answers.csv"), row.names = FALSE, quote = FALSE)
