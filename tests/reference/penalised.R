# Penalised models by R's glmnet and survival: Rscript penalised.R FOLDER
# FOLDER holds table.csv (time, event, folds for each model, standardised columns) and three lists of penalties: of the
# paths, and of the cross-validation of each model. Answers go to answers.csv.
suppressMessages({library(glmnet); library(survival)})
folder <- commandArgs(TRUE)[1]
table <- read.csv(file.path(folder, "table.csv"))
read_penalties <- function(name) scan(file.path(folder, paste0(name, ".txt")), quiet = TRUE)
penalties <- read_penalties("paths")
x <- as.matrix(table[, -(1:4)])
survival <- cbind(time = table$time, status = table$event)
answers <- list()
keep <- function(key, value) answers[[key]] <<- as.vector(value)
for (alpha in c(0, 0.05, 0.5, 1)) {
  fit <- function(y, family) glmnet(x, y, family = family, alpha = alpha, lambda = penalties,
                                    standardize = FALSE, thresh = 1e-15, maxit = 1e7)
  keep(paste0("breslow.", alpha), as.matrix(coef(fit(survival, "cox"))))
  keep(paste0("logistic.", alpha), as.matrix(coef(fit(table$event, "binomial"))))
}
# A penalty for each block: four columns each, with factors 1, 4 and 0.5 (glmnet divides them by their mean).
for (alpha in c(0, 1)) {
  fit <- function(y, family) glmnet(x, y, family = family, alpha = alpha, lambda = penalties, standardize = FALSE,
                                    penalty.factor = rep(c(1, 4, 0.5), each = 4), thresh = 1e-15, maxit = 1e7)
  keep(paste0("blocks.survival.", alpha), as.matrix(coef(fit(survival, "cox"))))
  keep(paste0("blocks.binary.", alpha), as.matrix(coef(fit(table$event, "binomial"))))
}
# Each inner training part is standardised anew (denominator n), as in the protocol.
tuned <- function(y, family, fold, list) cv.glmnet(x, y, family = family, alpha = 0.5, lambda = read_penalties(list),
                                                   foldid = fold + 1, type.measure = "deviance", standardize = TRUE,
                                                   thresh = 1e-14, maxit = 1e7)
keep("deviance.survival", tuned(survival, "cox", table$fold_survival, "survival")$cvm * sum(table$event) / nrow(table))
keep("deviance.binary", tuned(table$event, "binomial", table$fold_binary, "binary")$cvm)
# Efron's ties with a ridge: the penalty of coxph is theta/2 |b|^2 on the sum of the log partial likelihood.
for (penalty in c(0.05, 0.5)) {
  theta <<- penalty * nrow(table)
  fit <- coxph(Surv(time, event) ~ ridge(x1, x2, x3, x4, theta = theta, scale = FALSE), table, ties = "efron",
               control = coxph.control(eps = 1e-14, iter.max = 100, outer.max = 100))
  keep(paste0("efron.", penalty), coef(fit))
}
write.csv(data.frame(key = rep(names(answers), lengths(answers)), value = sprintf("%.17g", unlist(answers))),
          file.path(folder, "answers.csv"), row.names = FALSE)
