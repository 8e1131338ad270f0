export { type Budget, type BudgetLimit, type BudgetOptions, budget } from './budget.ts'
export type { Period } from './periods.ts'
export { createSpending, type Spending } from './spending.ts'
export { giveBackUnsettled, type Pair, type Unsettled, unsettledOf } from './spent.ts'
