namespace Fewbit.Fuzzing.Models;

/// <summary>One small valid node of every operator, in the notation of <see cref="SeedNode"/>.</summary>
internal static class SeedNodes
{
    public static readonly string[] Unary =
    [
        "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Hardmax", "Identity",
        "IsInf", "IsNaN", "LeakyRelu", "Log", "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Shape", "Sigmoid", "Sign",
        "Sin", "Sinh", "Size", "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "NonZero", "Transpose",
        "Flatten", "Squeeze", "Dropout", "Unique>4", "DynamicQuantizeLinear>3", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum",
        "ReduceLogSumExp", "ReduceSumSquare",
    ];

    public static readonly string[] Binary =
    [
        "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mean", "Sum", "PRelu", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod | | fmod=1",
    ];

    public static readonly string[] Lines =
    [
        "And | bool[2,3] bool[3]", "Or | bool[2,3] bool[2,1]", "Xor | bool[2,3] bool[]", "Not | bool[2,3]",
        "BitShift | u8[3] u8[3] | direction=LEFT", "BitwiseAnd | i32[3] i32[3]", "BitwiseOr | u8[3] u8[1]", "BitwiseXor | i64[3] i64[]", "BitwiseNot | i8[3]", "Mod | i32[4] i32=2,3,5,7",
        "Cast | f32[2,3] | to=7", "Cast | i64[5] | to=22", "Cast | i4[5] | to=1", "Cast | f32[3] | to=17 saturate=0", "CastLike | f32[3] f16*[1]", "Clip | f32[2,3] f32*[]=0.5 f32*[]=1", "Clip | i8[4] i8*[]=0",
        "Clip@6 | f32[3] | min=0.0 max=1.0", "Where | bool[2,3] f32[2,3] f32[3]", "Dropout | f32[3] f32*[]=0.5 bool*[]=1", "Dropout>2 | f32[3]",
        "ArgMax | f32[2,3,4] | axis=1 keepdims=0 select_last_index=1", "ArgMin | i32[2,3] | axis=-1", "CumSum | f32[2,3] i64*[]=1 | exclusive=1 reverse=1", "CumProd | f32[2,3] i64*[]=1",
        "ReduceSum | f32[2,3,4] i64=0,-1 | keepdims=0", "ReduceMean@13 | f32[2,3,4] | axes=1, keepdims=1", "ReduceMax | u8[2,3] i64=1", "ReduceProd | i32[2,3] i64=0 | noop_with_empty_axes=1",
        "ReduceSum | f32[2,3] i64[1]", "Softmax | f32[2,3,4] | axis=1", "Softmax@11 | f32[2,3,4] | axis=1", "LogSoftmax@7 | f32[2,3,4] | axis=2", "Hardmax@11 | f32[2,3,4] | axis=0",
        "TopK>2 | f32[2,5] i64=3 | axis=1 largest=0 sorted=1", "TopK@9>2 | f32[2,5] | k=2", "TopK>2 | i64[6] i64[1]", "Det | f32[2,3,3]", "Einsum | f32[2,3] f32[3,4] | equation=ij,jk->ik", "Einsum | f32[2,2] | equation=ii->i",
        "Einsum | f32[2,3,4] f32[2,4,5] | equation=b...d,bde->be...",
        "MatMul | f32[2,3] f32*[3,4]", "MatMul | f32[2,2,3] f32[2,3,1]", "MatMul | f32[3] f32[3]", "MatMul | f64[2,3] f64[3,2]", "MatMul | f16[2,3] f16*[3,2]", "MatMul | i32[2,3] i32[3,2]", "MatMul | f32[5,17] f32*[17,33]",
        "Gemm | f32[2,3] f32*[4,3] f32*[4] | transB=1 alpha=0.5 beta=2.0", "Gemm | f32[3,2] f32[3,4] f32[1,4] | transA=1", "com.microsoft.FusedMatMul | f32[2,3] f32[4,3] | transB=1 alpha=0.5",
        "Conv | f32[1,2,6,6] f32*[4,2,3,3] f32*[4] | pads=1,1,1,1 strides=2,2", "Conv | f32[1,4,5,5] f32*[4,1,3,3] | group=4 pads=1,1,1,1", "Conv | f32[1,3,8] f32*[2,3,3] | dilations=2,", "Conv | f32[1,1,4,4,4] f32*[1,1,2,2,2]",
        "Conv | f32[1,16,8,8] f32*[16,16,3,3] f32*[16] | pads=1,1,1,1", "Conv | f32[2,4,5,5] f32*[8,2,1,1] | group=2", "Conv | f32[1,2,6,6] f32[3,2,3,3] | auto_pad=SAME_UPPER", "Conv | f16[1,2,6,6] f16*[3,2,3,3]", "Conv | f64[1,1,5,5] f64*[1,1,2,2]",
        "Conv | f32[1,17,7,9] f32*[19,17,1,1] f32*[19]", "com.microsoft.FusedConv | f32[1,2,6,6] f32*[4,2,3,3] f32*[4] f32[1,4,4,4] | activation=Relu", "com.microsoft.FusedConv | f32[1,2,6,6] f32*[4,2,3,3] | activation=LeakyRelu activation_params=0.1,",
        "ConvTranspose | f32[1,2,4,4] f32*[2,3,3,3] f32*[3] | strides=2,2 output_padding=1,1 pads=1,1,1,1", "ConvTranspose | f32[1,4,5] f32*[4,1,2] | group=2", "ConvTranspose | f32[1,1,3,3] f32*[1,1,3,3] | output_shape=7,7 strides=2,2 auto_pad=SAME_LOWER",
        "MaxPool | f32[1,2,6,6] | kernel_shape=3,3 strides=2,2 pads=1,1,1,1 ceil_mode=1", "MaxPool>2 | f32[1,1,5,5] | kernel_shape=2,2 storage_order=1", "MaxPool | u8[1,1,5,5] | kernel_shape=2,2 dilations=2,2", "MaxPool | f32[1,2,7] | kernel_shape=3,",
        "AveragePool | f32[1,2,6,6] | kernel_shape=3,3 pads=1,1,1,1 count_include_pad=1", "AveragePool | f32[1,1,4,4,4] | kernel_shape=2,2,2 strides=2,2,2", "LpPool | f32[1,2,5,5] | kernel_shape=2,2 p=3", "GlobalLpPool | f32[1,2,3,3] | p=1",
        "BatchNormalization | f32[2,3,4,4] f32*[3] f32*[3] f32*[3] f32*[3]=1,2,3", "BatchNormalization@7 | f32[2,3,4] f32*[3] f32*[3] f32*[3] f32*[3]=1,2,3 | spatial=0", "BatchNormalization@15>3 | f32[2,3,4,4] f32*[3] f32*[3] f32*[3] f32*[3]=1,2,3 | training_mode=1",
        "InstanceNormalization | f32[2,3,4] f32*[3] f32*[3]", "GroupNormalization@21 | f32[1,4,3,3] f32*[4] f32*[4] | num_groups=2", "LayerNormalization>3 | f32[2,3,4] f32*[4] f32*[4] | axis=-1", "RMSNormalization | f32[2,3,4] f32*[4]", "LRN | f32[1,5,3,3] | size=3",
        "LpNormalization | f32[2,3] | axis=1 p=1", "MeanVarianceNormalization | f32[2,3,2,2] | axes=0,2,3",
        "Concat | f32[2,3] f32[2,1] | axis=1", "Concat | i4[2,3] i4[2,2] | axis=-1", "Split>2 | f32[4,3] i64=1,3", "Split@18>3 | f32[6,3] | axis=0 num_outputs=3", "Split@11>2 | f32[4] | split=1,3", "Slice | f32[5,4] i64=1,0 i64=4,3 i64=0,1 i64=2,1",
        "Slice@9 | f32[5,4] | starts=1,0 ends=4,3 axes=0,1", "Slice | f32[5,4] i64[1] i64[1] i64[1]", "Slice | f32[5] i64=-1 i64=-6 i64=0 i64=-2", "Gather | f32[4,3] i64=0,-1,2", "Gather | f32[4,3] i64[2,2] | axis=1", "GatherElements | f32[3,3] i64*[2,3]=0,1,2,2,1,0 | axis=0",
        "GatherND | f32[2,3,4] i64*[2,2]=0,1,1,2", "GatherND | f32[2,3,4] i64*[2,1]=1,2 | batch_dims=1", "ScatterElements | f32[3,3] i64*[1,3]=0,1,2 f32[1,3] | axis=0 reduction=add", "ScatterND | f32[4,3] i64*[2,1]=1,3 f32[2,3] | reduction=mul", "ScatterND | f32[4,4] i64[2,1] f32[2,4]",
        "Scatter@10 | f32[3,3] i64*[1,3]=0,1,2 f32[1,3]", "Reshape | f32[2,6] i64=3,-1", "Reshape | f32[2,6] i64=0,2,3 | allowzero=1", "Reshape | f32[2,6] i64[2]", "Flatten | f32[2,3,4] | axis=2", "Squeeze | f32[1,3,1] i64=0,2", "Squeeze@11 | f32[1,3,1] | axes=0,", "Unsqueeze | f32[3] i64=0,2",
        "Unsqueeze@11 | f32[3] | axes=0,", "Expand | f32[3,1] i64=2,3,4", "Expand | f32[3,1] i64[3]", "Tile | f32[2,3] i64=2,2", "Tile | u8[2,3] i64[2]", "Transpose | f32[2,3,4] | perm=2,0,1", "Transpose | u4[2,3] | perm=1,0", "Pad | f32[2,3] i64=1,0,0,2 f32*[]=1 | mode=constant",
        "Pad | f32[4,4] i64=1,1,1,1 | mode=reflect", "Pad | f32[2,3] i64=0,1,1,1 | mode=edge", "Pad | f32[2,3] i64=-1,0,1,-1 - i64=0,1 | mode=wrap", "Pad@10 | f32[2,3] | pads=1,1,1,1 value=2.0", "Pad | f32[2,3] i64[4]", "DepthToSpace | f32[1,8,2,2] | blocksize=2 mode=CRD", "SpaceToDepth | f32[1,2,4,4] | blocksize=2",
        "Range | i64*[]=0 i64*[]=5 i64*[]=1", "Range | f32*[]=0 f32*[]=2 f32*[]=0.5", "Range | i64[] i64[] i64[]", "ConstantOfShape | i64=2,3", "ConstantOfShape | i64[2]", "EyeLike | f32[3,4] | k=1 dtype=1", "Trilu | f32[3,4] i64*[]=1 | upper=0", "OneHot | i64=0,2,1 i64*[]=3 f32=0,1 | axis=-1",
        "OneHot | i64[3] i64[] f32=0,1 | axis=0", "CenterCropPad | f32[4,5] i64=3,7 | axes=0,1", "Compress | f32[3,2] bool*[3]=1,0,1 | axis=0", "NonZero | bool[2,3]", "Unique>4 | f32[6] | axis=0 sorted=0", "ReverseSequence | f32[4,3] i64=1,2,3 | time_axis=0 batch_axis=1", "Shape@15 | f32[2,3,4] | start=1 end=-1",
        "Resize | f32[1,1,4,4] - f32=1,1,2,2 | mode=nearest", "Resize | f32[1,1,4,4] - - i64=1,1,7,3 | mode=linear coordinate_transformation_mode=align_corners", "Resize | f32[1,1,4,4] - f32=1,1,0.5,1.5 | mode=cubic antialias=1", "Resize@18 | f32[1,1,4,4] f32=0,0,0,0,1,1,1,1 - i64=1,1,3,3 | mode=linear coordinate_transformation_mode=tf_crop_and_resize",
        "Resize | f32[1,1,4,4] - - i64=5,6 | axes=2,3 keep_aspect_ratio_policy=not_larger", "Resize@10 | f32[1,1,4,4] f32=1,1,0.5,2 | mode=nearest", "Resize@11 | f32[1,1,4,4] f32*[0] f32=1,1,2,2 | mode=nearest coordinate_transformation_mode=tf_half_pixel_for_nn nearest_mode=floor", "Upsample@9 | f32[1,1,3,3] f32=1,1,2,2",
        "Upsample@7 | f32[1,1,3,3] | scales=1.0,1.0,2.0,2.0 mode=linear", "Resize | f32[1,1,4,4] - - i64[4]", "GridSample | f32[1,1,4,4] f32[1,3,3,2] | align_corners=1 padding_mode=border", "GridSample | f32[1,1,3,3,3] f32[1,2,2,2,3] | mode=nearest",
        "LSTM>3 | f32[3,2,4] f32*[1,12,4] f32*[1,12,3] f32*[1,24] | hidden_size=3", "LSTM>3 | f32[3,2,4] f32*[2,12,4] f32*[2,12,3] f32*[2,24] i32=3,2 f32[2,2,3] f32[2,2,3] f32*[2,9] | hidden_size=3 direction=bidirectional clip=2.0", "GRU>2 | f32[3,2,4] f32*[1,9,4] f32*[1,9,3] f32*[1,18] | hidden_size=3 linear_before_reset=1",
        "RNN>2 | f32[3,2,4] f32*[1,3,4] f32*[1,3,3] | hidden_size=3 activations=Relu, layout=0", "Attention | f32[1,2,3,4] f32[1,2,3,4] f32[1,2,3,4] | is_causal=1", "Attention | f32[1,3,8] f32[1,3,8] f32[1,3,8] | q_num_heads=2 kv_num_heads=2", "Attention>3 | f32[1,4,3,4] f32[1,2,3,4] f32[1,2,3,4] f32*[3,5] f32[1,2,2,4] f32[1,2,2,4]",
        "RotaryEmbedding | f32[1,2,3,4] f32*[3,2] f32*[3,2] i64*[1,3]=0,1,2", "RotaryEmbedding | f32[1,3,8] f32*[3,2] f32*[3,2] i64*[1,3]=0,1,2 | num_heads=2",
        "QuantizeLinear | f32[2,3] f32*[]=0.1 u8*[]=128", "QuantizeLinear | f32[2,3] f32*[3]=0.1,0.2,0.3 i8*[3] | axis=1", "QuantizeLinear | f32[4,3] f32*[2,3]=0.1,0.2 | axis=0 block_size=2 output_dtype=22", "DequantizeLinear | u8[2,3] f32*[]=0.1 u8*[]=128", "DequantizeLinear | i4[2,6] f32*[2,3]=0.1,0.2 i4*[2,3] | axis=1 block_size=2",
        "DequantizeLinear | i32[2,3] f32*[2]=0.1,0.2 | axis=0", "DequantizeLinear | f8[4] f32*[]=0.5", "QLinearConv | u8[1,2,5,5] f32*[]=0.1 u8*[]=128 i8*[3,2,3,3] f32*[3]=0.1,0.2,0.3 i8*[3]=0,0,0 f32*[]=0.2 u8*[]=100 i32*[3] | pads=1,1,1,1", "ConvInteger | u8[1,2,5,5] u8*[3,2,3,3] u8*[]=1 u8*[]=2",
        "MatMulInteger | u8[2,3] i8*[3,4] u8*[]=128 i8*[4]", "QLinearMatMul | u8[2,3] f32*[]=0.1 u8*[]=128 i8*[3,4] f32*[]=0.2 i8*[]=0 f32*[]=0.3 u8*[]=120", "com.microsoft.QLinearAdd | u8[2,3] f32*[]=0.1 u8*[]=128 u8[3] f32*[]=0.2 u8*[]=1 f32*[]=0.3 u8*[]=2",
        "com.microsoft.QLinearMul | i8[2,3] f32*[]=0.1 i8*[]=1 i8[2,3] f32*[]=0.2 i8*[]=1 f32*[]=0.3 i8*[]=2", "com.microsoft.QLinearSigmoid | u8[2,3] f32*[]=0.1 u8*[]=128 f32*[]=0.2 u8*[]=3", "com.microsoft.QLinearLeakyRelu | u8[2,3] f32*[]=0.1 u8*[]=128 f32*[]=0.2 u8*[]=3 | alpha=0.1",
        "com.microsoft.QLinearAveragePool | u8[1,2,4,4] f32*[]=0.1 u8*[]=128 f32*[]=0.2 u8*[]=3 | kernel_shape=2,2 strides=2,2", "com.microsoft.QLinearGlobalAveragePool | u8[1,2,4,4] f32*[]=0.1 u8*[]=128 f32*[]=0.2 u8*[]=3", "com.microsoft.QLinearConcat | f32*[]=0.1 u8*[]=128 u8[2,3] f32*[]=0.2 u8*[]=3 u8[2,1] f32*[]=0.3 u8*[]=9 | axis=1",
        "com.microsoft.QLinearSoftmax | u8[2,3] f32*[]=0.1 u8*[]=128 f32*[]=0.004 u8*[]=0 | axis=-1 opset=13", "com.microsoft.QLinearWhere | bool[2,3] u8[2,3] f32*[]=0.1 u8*[]=128 u8[3] f32*[]=0.2 u8*[]=3 f32*[]=0.3 u8*[]=9", "com.microsoft.QGemm | u8[2,3] f32*[]=0.1 u8*[]=128 i8*[4,3] f32*[]=0.2 i8*[]=0 i32*[4] f32*[]=0.3 u8*[]=9 | transB=1",
        "com.microsoft.MatMulNBits | f32[2,32] u8*[3,2,8] f32*[6] u8*[3] | K=32 N=3 bits=4 block_size=16", "com.microsoft.Gelu | f32[2,3]", "com.microsoft.FastGelu | f32[2,3] f32*[3]", "com.microsoft.SkipLayerNormalization | f32[1,2,4] f32[1,2,4] f32*[4] f32*[4]",
        "AffineGrid | f32[1,2,3] i64=1,1,3,3", "Col2Im | f32[1,4,4] i64=3,3 i64=2,2", "MaxRoiPool | f32[1,1,6,6] f32*[1,5]=0,0,0,4,4 | pooled_shape=2,2", "MaxUnpool | f32[1,1,2,2] i64*[1,1,2,2]=0,3,8,11 | kernel_shape=2,2 strides=2,2", "MelWeightMatrix | i64*[]=4 i64*[]=8 i64*[]=800 f32*[]=10 f32*[]=400", "NegativeLogLikelihoodLoss | f32[2,3] i64*[2]=0,2", "SoftmaxCrossEntropyLoss>2 | f32[2,3] i64*[2]=0,2", "RoiAlign | f32[1,1,6,6] f32*[1,4]=0,0,4,4 i64*[1]=0 | output_height=2 output_width=2",
        "SimplifiedLayerNormalization | f32[2,3] f32*[3]", "TensorScatter | f32[1,2,4,3] f32[1,2,1,3] i64*[1]=2", "com.microsoft.BiasGelu | f32[2,3] f32*[3]", "com.microsoft.QuantizeLinear | f32[2,3] f32*[]=0.1 u8*[]=3", "com.microsoft.DequantizeLinear | u8[2,3] f32*[]=0.1 u8*[]=3", "com.microsoft.DynamicQuantizeMatMul | f32[2,3] u8*[3,4] f32*[]=0.1 u8*[]=2", "com.microsoft.FusedGemm | f32[2,3] f32*[3,4] f32*[4] | activation=Relu",
        "com.microsoft.GroupQueryAttention>3 | f32[1,2,8] f32[1,2,4] f32[1,2,4] - - i32*[1]=1 i32*[1]=2 | num_heads=2 kv_num_heads=1", "com.microsoft.MatMulIntegerToFloat | u8[2,3] i8*[3,4] f32*[]=0.1 f32*[]=0.2", "com.microsoft.MultiHeadAttention | f32[1,3,8] f32[1,3,8] f32[1,3,8] | num_heads=2", "com.microsoft.QLinearConv | u8[1,2,5,5] f32*[]=0.1 u8*[]=128 i8*[3,2,3,3] f32*[]=0.1 i8*[]=0 f32*[]=0.2 u8*[]=100", "com.microsoft.RotaryEmbedding | f32[1,3,8] i64*[1,3]=0,1,2 f32*[4,2] f32*[4,2] | num_heads=2", "com.microsoft.SkipSimplifiedLayerNormalization | f32[1,2,4] f32[1,2,4] f32*[4]",
    ];

    /// <summary>All lines, the unary and binary operators on several types and ranks among them.</summary>
    public static IEnumerable<string> All()
    {
        foreach (string line in Unary)
        {
            yield return $"{line} | f32[2,3]";
            yield return $"{line} | f32[1,2,3,4]";
            yield return $"{line} | f16[5]";
        }
        foreach (string line in Binary)
        {
            string[] parts = line.Split(" | | ");
            string attributes = parts.Length > 1 ? $" | {parts[1]}" : "";
            yield return $"{parts[0]} | f32[2,3] f32[3]{attributes}";
            yield return $"{parts[0]} | i32[2,1,4] i32*[3,1]{attributes}";
            yield return $"{parts[0]} | f32[] f32[2,2]{attributes}";
        }
        foreach (string line in Lines) yield return line;
    }
}
