# Recorded answers of R to mendelian_answers.csv: Rscript mendelian.R DIR
# lm() gives the weighted lines; the median is the textbook's interpolation of the weighted distribution.
folder <- commandArgs(trailingOnly = TRUE)[1]
tables <- read.csv(file.path(folder, "mendelian_table.csv"))
out <- list()
keep <- function(case, name, value) out[[length(out) + 1]] <<- data.frame(case, name, value = sprintf("%.15g", value))
for (case in unique(tables$case)) {
  d <- tables[tables$case == case, ]
  line <- summary(lm(by ~ bx - 1, data = d, weights = d$sy^-2))
  keep(case, "ivw", line$coef[1, 1])
  keep(case, "ivw_fixed_se", line$coef[1, 2] / line$sigma)
  keep(case, "ivw_random_se", line$coef[1, 2] / min(1, line$sigma))
  keep(case, "ivw_q", line$sigma^2 * (nrow(d) - 1))
  d$y <- d$by * sign(d$bx)
  d$x <- abs(d$bx)
  line <- summary(lm(y ~ x, data = d, weights = d$sy^-2))
  keep(case, "egger", line$coef[2, 1])
  keep(case, "egger_se", line$coef[2, 2] / min(1, line$sigma))
  keep(case, "egger_p", 2 * pt(-abs(line$coef[2, 1] / (line$coef[2, 2] / min(1, line$sigma))), nrow(d) - 2))
  keep(case, "intercept", line$coef[1, 1])
  keep(case, "intercept_se", line$coef[1, 2] / min(1, line$sigma))
  keep(case, "egger_q", line$sigma^2 * (nrow(d) - 2))
  ratio <- d$by / d$bx
  for (kind in c("weighted", "simple")) {
    w <- if (kind == "weighted") (d$bx / d$sy)^2 else rep(1, nrow(d))
    o <- order(ratio)
    at <- (cumsum(w[o]) - w[o] / 2) / sum(w)
    keep(case, paste0(kind, "_median"), approx(at, ratio[o], 0.5)$y)
  }
  s <- 0.9 * min(sd(ratio), mad(ratio)) / nrow(d)^(1 / 5)
  smooth <- density(ratio, weights = (d$bx / d$sy)^2 / sum((d$bx / d$sy)^2), bw = s, n = 2^16)
  keep(case, "weighted_mode", smooth$x[which.max(smooth$y)])
}
write.csv(do.call(rbind, out), file.path(folder, "mendelian_answers.csv"), row.names = FALSE, quote = FALSE)
