/** What the shop sells; prices in whole units of its currency. */
export interface Goods {
  readonly goods_id: string
  readonly name: string
  readonly price: number
}

export const GOODS: readonly Goods[] = [
  { goods_id: '123', name: 'Phone Mini', price: 2999 },
  { goods_id: '124', name: 'Phone Pro', price: 5999 },
  { goods_id: '200', name: 'Phone case', price: 49 },
  { goods_id: '300', name: 'Earbuds', price: 399 },
]

/** Goods whose name holds the keyword, in any case; all of them without one. */
export const searchGoods = (keyword = ''): readonly Goods[] =>
  GOODS.filter(({ name }) => name.toLowerCase().includes(keyword.toLowerCase()))

export const findGoods = (goodsId: unknown): Goods | undefined =>
  GOODS.find(({ goods_id }) => goods_id === goodsId)
