using Fewbit.Tensors;

namespace Fewbit.Graphs.Tests.Differentiation;

internal static partial class GradientCases
{
    private const string Fewbit = "ai.fewbit", Microsoft = "com.microsoft";

    private static IEnumerable<GradientCase> Unary
    {
        get
        {
            foreach (string op in (string[])["Exp", "Sin", "Cos", "Tanh", "Sigmoid", "Softplus", "Mish", "Swish", "Gelu", "Atan", "Sinh", "Cosh", "Asinh", "Erf", "Neg", "Softsign"]) yield return new(op, AwayFromZero([3, 5]));
            foreach (string op in (string[])["Relu", "LeakyRelu", "ThresholdedRelu", "Shrink", "HardSigmoid", "HardSwish", "Elu", "Selu", "Celu", "Abs", "Sign", "Floor", "Ceil", "Round", "Identity"])
                yield return new(op, AwayFromZero([2, 7]));
            foreach (string op in (string[])["Log", "Sqrt", "Reciprocal", "Tan", "Asin", "Acos", "Atanh"]) yield return new(op, X([3, 5], 0.2, 0.8));
            yield return new("Acosh", X([5], 1.5, 3));
            yield return new("Elu", AwayFromZero([7])) { Note = "alpha", Attributes = new() { { "alpha", 0.7f } } };
            yield return new("Celu", AwayFromZero([7])) { Note = "alpha", Attributes = new() { { "alpha", 0.7f } } };
            yield return new("Shrink", AwayFromZero([7])) { Note = "bias", Attributes = new() { { "bias", 0.1f }, { "lambd", 0.5f } } };
            yield return new("Gelu", X([3, 5])) { Note = "tanh", Attributes = new() { { "approximate", "tanh" } } };
            yield return new("Swish", X([3, 5])) { Note = "alpha", Attributes = new() { { "alpha", 1.7f } } };
            yield return new("Gelu", X([3, 5])) { Domain = Microsoft };
            yield return new("QuickGelu", X([3, 5])) { Domain = Microsoft };
            yield return new("Cast", X([3, 5])) { Attributes = new() { { "to", (long)ElementType.Float64 } } };
            yield return new("CastLike", X([3, 5]), new Fixed(X([1])));
            yield return new("Dropout", X([4, 5])) { Note = "evaluation" };
            yield return new("Dropout", X([4, 5]), Tensor.Scalar(0.3f), Tensor.From([true], Shape.Scalar)) { Note = "training", Attributes = new() { { "seed", 7 } } };
            yield return new("ReluGradient", new Fixed(AwayFromZero([7])), X([7])) { Domain = Fewbit };
            yield return new("SigmoidGradient", X([7]), X([7])) { Domain = Fewbit };
            yield return new("TanhGradient", X([7]), X([7])) { Domain = Fewbit };
            yield return new("IsInsideUnit", AwayFromZero([7])) { Domain = Fewbit };
            yield return new("Clip", Numbers([6], -1.2, -0.31, 0.2, 0.45, 0.9, 3), Numbers([], -0.3), Numbers([], 0.8)) { Note = "learned limits" };
            yield return new("Clip", Numbers([2, 2], -1.2, -0.31, 0.2, 0.45), Numbers([1], -0.3)) { Note = "lower limit" };
            yield return new("Clip", Numbers([2, 2], -1.2, -0.31, 0.2, 0.45), null, Numbers([1], -0.3)) { Note = "upper limit" };
            yield return new("Clip", Numbers([4], -1.2, -0.31, 0.2, 0.45), Numbers([], 0.3), Numbers([], -0.4)) { Note = "crossed limits" };
            yield return new("ClipGradient", new Fixed(X([6])), X([6]), new Fixed(Numbers([], -0.3)), new Fixed(Numbers([], 0.3))) { Domain = Fewbit };
        }
    }

    private static IEnumerable<GradientCase> Binary
    {
        get
        {
            foreach (string op in (string[])["Add", "Sub", "Mul"])
            {
                yield return new(op, X([2, 1, 3]), X([4, 1]));
                yield return new(op, X([2, 3]), X([])) { Note = "scalar" };
            }
            yield return new("Div", X([2, 1, 3]), AwayFromZero([4, 1]));
            yield return new("PRelu", AwayFromZero([2, 3, 4]), X([3, 1]));
            yield return new("Mod", Numbers([2, 3], 5.3, -5.3, 2.2, -0.7, 8.1, -8.1), Numbers([3], 2.5, -1.7, 3.1)) { Note = "fmod", Attributes = new() { { "fmod", 1 } } };
            yield return new("Mod", Numbers([2, 3], 5.3, -5.3, 2.2, -0.7, 8.1, -8.1), Numbers([3], 2.5, -1.7, 3.1)) { Note = "sign of the divisor" };
            yield return new("Pow", X([2, 3], 0.3, 2), X([3], -2, 2));
            yield return new("Pow", AwayFromZero([2, 3]), Tensor.Scalar(3L)) { Note = "integer exponent" };
            yield return new("Pow", Tensor.From<double>([0, 0, 2, 0.5], [2, 2]), new Fixed(Tensor.From<double>([0, 3], [2]))) { Note = "0 to the power of 0", Order = 1 };
            yield return new("Max", Apart([2, 3]), Numbers([3], -0.2, 0.01, 0.2), Numbers([2, 1], 0.015, -0.01));
            yield return new("Min", Apart([2, 3]), Numbers([3], -0.2, 0.01, 0.2), Numbers([2, 1], 0.015, -0.01));
            yield return new("Max", X([2, 2])) { Note = "one input" };
            yield return new("Sum", X([2, 3]), X([3]), X([2, 1]));
            yield return new("Mean", X([2, 3]), X([3]), X([2, 1]));
            yield return new("Where", Tensor.From<bool>([true, false, true], [3, 1]), X([2]), X([3, 2]));
            yield return new("GeGLU", X([2, 3]), X([2, 3]));
            yield return new("GeGLU", X([2, 3]), X([2, 3])) { Note = "tanh", Attributes = new() { { "approximate", "tanh" } } };
            yield return new("SwiGLU", X([2, 3]), X([2, 3])) { Attributes = new() { { "alpha", 1.3f } } };
        }
    }
}
