using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Elementwise;

/// <summary>ONNX Pow, opset 15: base to the power of exponent, in the type of the base.</summary>
internal sealed record Pow : IDifferentiable, IInPlaceOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 2);
        context.InferBroadcast(context.InputType(0), 0, 1);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        (Tensor x, Tensor exponent) = (context.Input(0), context.Input(1));
        if (exponent.ElementCount == 1 && x.Type == ElementType.Float32 && SmallPower.TryRun(context)) return;
        // Between types the power is taken in float64; integers below 2^53 are exact there.
        if (x.Type != exponent.Type) exponent = Casting.Convert(exponent, x.Type.IsInteger() && exponent.Type.IsInteger() ? x.Type : x.Type.IsInteger() ? ElementType.Float64 : x.Type);
        if (x.Type == exponent.Type) ElementDispatch.Number(context.Node, x.Type, new Action(context, exponent));
        else FromFloat64(context, exponent);
    }

    // The exponent may be of another width.
    public bool CanOverwrite(int index) => index == 0;

    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value x, Value exponent) = (context.Input(0), context.Input(1));
        Value power = exponent.Type == x.Type ? exponent : exponent.Apply("CastLike", x);
        if (context.Needs(0)) context.SetInputGradient(0, (gradient * Slope(x, power, exponent)).SumToShapeOf(x));
        if (!context.Needs(1)) return;
        // 0 to a positive power stays 0 however the exponent moves.
        Value logarithm = x.Apply("Greater", x.Scalar(0)).Apply("Where", x, x.Scalar(1)).Apply("Log");
        context.SetInputGradient(1, (gradient * context.Output() * logarithm).SumToShapeOf(exponent));
    }

    /// <summary>power · x^(power - 1); 0 where the power is 0, at x = 0 too.</summary>
    private static Value Slope(Value x, Value power, Value exponent)
    {
        Value slope = power * x.Apply("Pow", power - 1f);
        bool isNeverZero = exponent is { IsConstant: true, Constant: { } known } && Casting.Convert(known, ElementType.Float64).Span<double>().IndexOf(0) < 0;
        return isNeverZero ? slope : power.Apply("Equal", power.Scalar(0)).Apply("Where", power.Scalar(0), slope);
    }

    private static void FromFloat64(EvaluationContext context, Tensor exponent)
    {
        Tensor wide = Tensor.AllocateUninitialized(ElementType.Float64, context.Output(0).Shape);
        var inner = new EvaluationContext(context.Node, [Casting.Convert(context.Input(0), ElementType.Float64), exponent], [wide], new ScratchSpace());
        Broadcasting.Run<double, double, Kernel<double>>(inner);
        Casting.Convert(wide, context.Output(0));
    }

    private readonly struct Action(EvaluationContext context, Tensor exponent) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T> => Broadcasting.Run<T, T, Kernel<T>>(context, context.Input(0), exponent);
    }

    private readonly unsafe struct Kernel<T> : IBinaryKernel<T, T> where T : unmanaged, INumber<T>
    {
        public static void Run(T* a, long stepA, T* b, long stepB, T* output, long count)
        {
            long i = typeof(T) == typeof(float) ? Vectors((float*)a, stepA, (float*)b, stepB, (float*)output, count) : 0;
            for (; i < count; i++) output[i] = Power(a[i * stepA], b[i * stepB]);
        }

        /// <summary>e^(b ln a) in float64 where each a is positive and all is finite; returns how many elements are done.</summary>
        private static long Vectors(float* a, long stepA, float* b, long stepB, float* output, long count)
        {
            var infinity = new Vector<float>(float.PositiveInfinity);
            long i = 0;
            for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
            {
                Vector<float> x = stepA == 0 ? new(*a) : Vector.Load(a + i), exponent = stepB == 0 ? new(*b) : Vector.Load(b + i);
                if (Vector.GreaterThanAll(x, Vector<float>.Zero) && Vector.LessThanAll(x, infinity) && Vector.LessThanAll(Vector.Abs(exponent), infinity))
                {
                    Vector.Widen(x, out Vector<double> low, out Vector<double> high);
                    Vector.Widen(exponent, out Vector<double> lowExponent, out Vector<double> highExponent);
                    Vector.Narrow(Vector.Exp(Vector.Log(low) * lowExponent), Vector.Exp(Vector.Log(high) * highExponent)).Store(output + i);
                    continue;
                }
                for (int lane = 0; lane < Vector<float>.Count; lane++) output[i + lane] = MathF.Pow(x[lane], exponent[lane]);
            }
            return i;
        }

        private static T Power(T x, T exponent)
        {
            if (typeof(T) == typeof(float)) return (T)(object)MathF.Pow((float)(object)x, (float)(object)exponent);
            if (typeof(T) == typeof(double)) return (T)(object)Math.Pow((double)(object)x, (double)(object)exponent);
            if (T.IsNegative(exponent)) return T.CreateTruncating(Math.Pow(double.CreateTruncating(x), double.CreateTruncating(exponent)));
            T result = T.One;
            for (ulong left = ulong.CreateTruncating(exponent); left > 0; left >>= 1, x *= x)
            {
                if ((left & 1) != 0) result *= x;
            }
            return result;
        }
    }
}

/// <summary>The powers that networks use, without a call an element: square, square root, cube, reciprocal.</summary>
internal static unsafe class SmallPower
{
    public static bool TryRun(EvaluationContext context)
    {
        Tensor exponent = context.Input(1);
        if (exponent.Type is not (ElementType.Float32 or ElementType.Int64 or ElementType.Int32)) return false;
        if (exponent.Rank > context.Input(0).Rank) return false;
        float power = exponent.Type == ElementType.Float32 ? exponent.Item<float>() : context.Node.ReadInt(exponent);
        switch (power)
        {
            case 1: context.Input(0).CopyTo(context.Output(0)); return true;
            case 2: Broadcasting.Run<float, float, ArithmeticKernel<float, MultiplyFunction>>(context, context.Input(0), context.Input(0)); return true;
            case 3: Broadcasting.Run<float, float, Cube>(context, context.Input(0), context.Input(0)); return true;
            case 0.5f: Broadcasting.Run<float, float, Root>(context, context.Input(0), context.Input(0)); return true;
            case -1: Broadcasting.Run<float, float, Inverse>(context, context.Input(0), context.Input(0)); return true;
            default: return false;
        }
    }

    private readonly struct Cube : IBinaryKernel<float, float>
    {
        public static void Run(float* a, long stepA, float* b, long stepB, float* output, long count)
        {
            for (long i = 0; i < count; i++) output[i] = a[i] * a[i] * a[i];
        }
    }

    private readonly struct Root : IBinaryKernel<float, float>
    {
        public static void Run(float* a, long stepA, float* b, long stepB, float* output, long count)
        {
            // pow(-0, 0.5) and pow(-inf, 0.5) are +0 and +inf, unlike the root.
            for (long i = 0; i < count; i++) output[i] = a[i] == float.NegativeInfinity ? float.PositiveInfinity : MathF.Sqrt(a[i] + 0f);
        }
    }

    private readonly struct Inverse : IBinaryKernel<float, float>
    {
        public static void Run(float* a, long stepA, float* b, long stepB, float* output, long count)
        {
            for (long i = 0; i < count; i++) output[i] = 1 / a[i];
        }
    }
}
