using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private static IEnumerable<GradientCase> Reductions
    {
        get
        {
            foreach (string kind in (string[])["Sum", "Mean", "SumSquare", "L1", "L2", "Prod", "LogSumExp", "Max", "Min"])
            {
                Tensor Point(Shape shape) => kind is "Max" or "Min" ? Apart(shape) : AwayFromZero(shape);
                yield return new("Reduce" + kind, Point([2, 3, 4]), Ints(2, 0)) { Note = "two axes" };
                yield return new("Reduce" + kind, Point([2, 3, 4]), Ints(-2)) { Note = "dropped axis", Attributes = new() { { "keepdims", 0 } } };
                yield return new("Reduce" + kind, Point([2, 3])) { Note = "all", Attributes = new() { { "keepdims", 0 } } };
            }
            yield return new("ReduceLogSum", X([2, 3, 4], 0.3, 2), Ints(1));
            yield return new("ReduceSum", X([2, 3])) { Note = "no axes", Attributes = new() { { "noop_with_empty_axes", 1 } } };
            yield return new("ReduceProd", X([2, 3])) { Note = "no axes", Attributes = new() { { "noop_with_empty_axes", 1 } } };
            yield return new("ReduceProd", Numbers([3, 3], 0, 2, 3, 0, 0, 1, 0, 0, 0), Ints(1)) { Note = "one, two, three zeros" };
            yield return new("ReduceProd", Numbers([2, 3], 0, 2, 3, 1, 4, 1)) { Note = "zero, all axes" };
            yield return new("CumSum", X([2, 4, 3]), Int(1));
            yield return new("CumSum", X([2, 4]), Int(-1)) { Note = "exclusive, reverse", Attributes = new() { { "exclusive", 1 }, { "reverse", 1 } } };
            yield return new("CumProd", X([2, 4, 3]), Int(1));
            yield return new("CumProd", Numbers([5], 2, 0, 3, 0, 1.5), Int(0)) { Note = "zeros" };
            yield return new("CumProd", Numbers([2, 3], 2, 0, 3, 1, 1.5, -1), Int(-1)) { Note = "exclusive, reverse", Attributes = new() { { "exclusive", 1 }, { "reverse", 1 } } };
            yield return new("SumToShapeOf", X([2, 3, 4]), new Fixed(X([3, 1]))) { Domain = Fewbit };
            foreach (string op in (string[])["Softmax", "LogSoftmax", "Hardmax"])
            {
                yield return new(op, Apart([3, 5]));
                yield return new(op, Apart([2, 3, 2])) { Note = "axis", Attributes = new() { { "axis", 1 } } };
            }
            yield return new("Det", X([3, 3]));
            yield return new("Det", X([2, 2, 2])) { Note = "batch" };
            yield return new("Det", X([1, 1])) { Note = "one element" };
            yield return new("Det", Numbers([3, 3], 1, 2, 3, 2, 4, 6, 0, 1, 1)) { Note = "singular" };
        }
    }

    private static IEnumerable<GradientCase> Matrix
    {
        get
        {
            yield return new("MatMul", X([2, 1, 3, 4]), X([5, 4, 2])) { Note = "broadcast batch" };
            yield return new("MatMul", X([2, 3, 4]), X([4, 2])) { Note = "shared matrix" };
            yield return new("MatMul", X([4]), X([2, 4, 3])) { Note = "vector left" };
            yield return new("MatMul", X([3, 4]), X([4])) { Note = "vector right" };
            yield return new("MatMul", X([4]), X([4])) { Note = "vectors" };
            yield return new("Gemm", X([4, 3]), X([5, 4]), X([5])) { Attributes = new() { { "alpha", 0.5f }, { "beta", 2f }, { "transA", 1 }, { "transB", 1 } } };
            yield return new("Gemm", X([3, 4]), X([4, 2]), X([3, 1])) { Note = "column" };
            yield return new("Gemm", X([3, 4]), X([4, 2])) { Note = "no bias" };
            yield return new("FusedMatMul", X([2, 4, 3]), X([2, 5, 4])) { Domain = Microsoft, Attributes = new() { { "transA", 1 }, { "transB", 1 }, { "alpha", 0.7f } } };
            yield return new("FusedMatMul", X([2, 3, 4]), X([5, 4])) { Domain = Microsoft, Note = "shared", Attributes = new() { { "transB", 1 } } };
            foreach ((string equation, Shape[] shapes) in ((string, Shape[])[])[
                ("ij,jk->ki", [[3, 4], [4, 2]]),
                ("bij,bjk->bik", [[2, 3, 4], [2, 4, 2]]),
                ("ii", [[3, 3]]),
                ("ii->i", [[3, 3]]),
                ("iij,j->j", [[3, 3, 2], [2]]),
                ("ij->j", [[3, 4]]),
                ("ij,k->i", [[2, 3], [4]]),
                ("...ij,...jk->...ik", [[2, 3, 2], [4, 1, 2, 3]]),
                ("...i->...", [[2, 3, 4]]),
                ("i...,i...->i...", [[2, 3], [2, 1]]),
                ("b...a,c->...bc", [[2, 3, 4], [2]]),
                ("a,b,c->abc", [[2], [3], [2]]),
                ("ij,ij", [[2, 3], [2, 3]])])
                yield return new("Einsum", [.. shapes.Select(shape => X(shape))]) { Note = equation, Attributes = new() { { "equation", equation } } };
        }
    }
}
